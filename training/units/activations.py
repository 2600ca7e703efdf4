"""The activations of every unit of the float network along texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.network.network import Network


@dataclass(frozen=True, order=True)
class Unit:
    """One unit: its layer, its part of the state (h or c), and its number; numbers begin at 0."""

    layer: int
    part: str
    number: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.part}{self.number}"


@dataclass(frozen=True)
class Activations:
    """Activations after each character, shape (characters, units), and the unit of each column.

    The memory of an LSTM is given as tanh c, so that it lies between −1 and 1 as h does.
    """

    units: tuple[Unit, ...]
    values: NDArray[np.float32]


Progress = Callable[[int], None]


@torch.no_grad()
def read(
    checkpoint: Checkpoint, texts: Sequence[str], progress: Progress = lambda characters: None
) -> list[Activations]:
    """Reads texts side by side, each from its start.

    `progress` is called with the number of ids that were read. Raises TextError for a text that
    UTF-8 cannot hold.
    """
    network = Network(checkpoint.config)
    network.load_weights(checkpoint.weights)
    vocabulary = checkpoint.vocabulary
    spelled = [[vocabulary.spell(character) for character in text] for text in texts]
    ids = [np.array([i for s in spelling for i in s], np.int64) for spelling in spelled]
    longest = max(len(each) for each in ids)
    padded = np.zeros((longest, len(texts)), np.int64)
    for column, each in enumerate(ids):
        padded[: len(each), column] = each
    start = torch.full((len(texts),), vocabulary.start)
    _, state = network.step(start, network.initial(len(texts)))
    config = checkpoint.config
    names = [name for name, _ in config.kind.state]
    units = tuple(
        Unit(layer, name, number)
        for layer in range(config.layers)
        for name in names
        for number in range(config.hidden)
    )
    values = np.empty((longest, len(texts), len(units)), np.float32)
    for time, row in enumerate(torch.from_numpy(padded)):
        _, state = network.step(row, state)
        # The state ends with that of the contexts, which have no units.
        parts = [
            part if name == "h" else torch.tanh(part)
            for layer in state[: config.layers]
            for name, part in zip(names, layer, strict=True)
        ]
        values[time] = torch.cat(parts, dim=1).numpy()
        progress(int(sum(time < len(each) for each in ids)))
    # The activation after a character that is spelt in bytes is that after its last byte.
    ends = [np.cumsum([len(s) for s in spelling]) - 1 for spelling in spelled]
    return [Activations(units, values[end, column]) for column, end in enumerate(ends)]
