"""The options of one training run, apart from its text, its preset and its budget."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import Checkpoint

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class RunOptions:
    """The options of one training.

    `preset_name` and `data` are for the card; `data` says what the text is. Characters that occur
    fewer than `minimum_count` times are spelt in bytes. Where `threads` is None, torch chooses the
    number. The run is saved in the file `resume`, and goes on from it where it exists. With a
    `base`, training begins with that checkpoint's network and vocabulary.

    Raises ValueError for a device that is unknown or not present.
    """

    preset_name: str = "default"
    data: str = ""
    seed: int = 1
    minimum_count: int = 100
    threads: int | None = None
    resume: Path | None = None
    device: str = "cpu"
    base: Checkpoint | None = None

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"device: {self.device!r} is neither {' nor '.join(DEVICES)}")
        if self.device == "cuda" and not _finds_gpu():
            raise ValueError(
                "device: torch finds no GPU here: train on the cpu, or install a torch built for "
                "CUDA"
            )


def _finds_gpu() -> bool:
    """Whether torch finds a GPU.

    True without torch: the import before the training reports that it is missing.
    """
    with suppress(ModuleNotFoundError):
        import torch

        return torch.cuda.is_available()
    return True
