"""The activations of every unit along texts, read by the float network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.network.network import Network

PARTS = "hc"
"""The parts of a state in order: the hidden state, and in an LSTM the memory."""


@dataclass(frozen=True, order=True)
class Unit:
    """One unit: its layer, the part of the state, and its number, all counted from 0."""

    layer: int
    part: str
    number: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.part}{self.number}"


@dataclass(frozen=True)
class Activations:
    """Activations after each character, shape (characters, units), and which unit is which.

    The memory of an LSTM is given as tanh c, between −1 and 1 as the hidden state is.
    """

    units: tuple[Unit, ...]
    values: NDArray[np.float32]


Progress = Callable[[int], None]


@torch.no_grad()
def read(
    checkpoint: Checkpoint, texts: Sequence[str], progress: Progress = lambda characters: None
) -> list[Activations]:
    """Reads texts side by side, each from its start. Raises TextError."""
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
    # Of contexts there are no units.
    layers = checkpoint.config.layers
    width = sum(part.shape[1] for layer in state[:layers] for part in layer)
    values = np.empty((longest, len(texts), width), np.float32)
    for time, row in enumerate(torch.from_numpy(padded)):
        _, state = network.step(row, state)
        parts = [
            p if n == 0 else torch.tanh(p) for layer in state[:layers] for n, p in enumerate(layer)
        ]
        values[time] = torch.cat(parts, dim=1).numpy()
        progress(int(sum(time < len(each) for each in ids)))
    units = tuple(
        Unit(number, PARTS[part], unit)
        for number, layer in enumerate(state[:layers])
        for part, tensor in enumerate(layer)
        for unit in range(tensor.shape[1])
    )
    # A character that is spelt in bytes is read with its last byte.
    ends = [np.cumsum([len(s) for s in spelling]) - 1 for spelling in spelled]
    return [Activations(units, values[end, column]) for column, end in enumerate(ends)]
