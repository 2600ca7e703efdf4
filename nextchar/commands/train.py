"""The verb `train`: a checkpoint from text."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from nextchar.errors import UsageError
from nextchar.options import TextsArgument
from training.presets import PRESETS


def train(
    texts: TextsArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the checkpoint is written.")
    ],
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Stop after so many minutes; 10 without --steps and --epochs.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many optimiser steps.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after N readings of the text.")
    ] = None,
    late: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEXT",
            help="More text, read late in each epoch: of the kind that matters most. Repeatable.",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help=f"The network's shape: {', '.join(PRESETS)}.")
    ] = "default",
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="In folders, take files named so; repeatable."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Pass over folders and files named so; repeatable."),
    ] = None,
    minimum: Annotated[
        int, typer.Option(min=1, metavar="N", help="Pass over shorter files (characters).")
    ] = 1,
    maximum: Annotated[
        int, typer.Option(min=1, metavar="N", help="Pass over longer files (characters).")
    ] = 10_000_000,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEXT",
            help="Measure on these; otherwise one file in twenty is held out. Repeatable.",
        ),
    ] = None,
    minimum_count: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Spell characters that are rarer than this in bytes."
        ),
    ] = 100,
    data: Annotated[
        str, typer.Option(metavar="WORDS", help="What the text is and its licence, for the card.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Where chance begins.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processor threads; all by default.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Where the network learns: cpu, or cuda, a GPU.")
    ] = "cpu",
    again: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Begin with this checkpoint's network and vocabulary, and with empty tables: what "
            "it was trained on is read once more. With a preset of its shape.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save the run here every 15 minutes and at its end, and go on from it.",
        ),
    ] = None,
) -> None:
    """Train a checkpoint on text; the best by held-out text is kept.

    Ctrl-C ends the run early and leaves the best checkpoint so far.

    Example: nextchar train src docs --out checkpoints/mine --minutes 20 --preset small
    """
    if preset not in PRESETS:
        raise UsageError(f"--preset: {preset!r} is none of {', '.join(PRESETS)}")
    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes: {minutes} is not above 0")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder, which may be new")
    if out.is_dir() and any(out.iterdir()) and not (out / "model.safetensors").is_file():
        raise UsageError(
            f"--out: {out} holds other files and no checkpoint; name a new folder, or a checkpoint "
            "to be replaced"
        )

    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device: {device!r} is neither cpu nor cuda")
    if device == "cuda" and not _finds_gpu():
        raise UsageError(
            "--device: torch finds no GPU here: train on the cpu, or install a torch built for CUDA"
        )

    if again is not None and out.resolve() == again.resolve():
        raise UsageError(f"--out: {out} is what --again begins with; name another folder")

    from model.checkpoint import load
    from training.corpus import Selection, read

    base = None if again is None else load(again)
    selection = Selection(tuple(include or ["*"]), tuple(skip or []), minimum, maximum)
    corpus = read(texts, selection, validation or [], late or [])
    try:
        import torch

        from training.finishing.quantization import QuantizationError
        from training.loop.run import ResumeError
        from training.loop.schedule import Budget
        from training.loop.train import train as run
    except ModuleNotFoundError as error:
        raise UsageError(
            f"training needs {error.name}, which is not installed; "
            "install nextchar with its extra: pip install 'nextchar[train]'"
        ) from None
    if minutes is None and steps is None and epochs is None:
        minutes = 10.0
    try:
        history = run(
            corpus,
            out,
            PRESETS[preset],
            Budget(minutes=minutes, steps=steps, epochs=epochs),
            name=preset,
            data=data,
            seed=seed,
            minimum_count=minimum_count,
            threads=threads,
            resume=resume,
            device=torch.device(device),
            base=base,
        )
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from None
    except (QuantizationError, ResumeError) as error:
        raise UsageError(str(error)) from None
    if history.interrupted:
        raise typer.Exit(130)


def _finds_gpu() -> bool:
    with suppress(ModuleNotFoundError):
        import torch

        return torch.cuda.is_available()
    return True  # That torch is missing is said where it is needed.
