"""Batches: documents cut into texts, laid end to end, and read as parallel streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# What cross entropy is told of a step whose next character belongs to another text.
IGNORED = -100


@dataclass(frozen=True)
class Window:
    """Ids read and ids to predict, both (time, streams), and how many characters they hold."""

    ids: Tensor
    targets: Tensor
    characters: int


def windows(
    documents: Sequence[NDArray[np.int32]],
    start: int,
    streams: int,
    window: int,
    restart: int,
    rng: np.random.Generator,
) -> Iterator[Window]:
    """One epoch: every document once, in a new order, cut at new places.

    The start symbol stands before each document and each cut. A last part that does not fill
    all streams is read in the next epoch's order, hence seldom the same.
    """
    text = _lay_out(documents, start, restart, rng)
    length = (len(text) - 1) // streams
    rows = text[: length * streams].reshape(streams, length)
    following = text[1 : length * streams + 1].reshape(streams, length)
    for begin in range(0, length, window):
        ids = np.ascontiguousarray(rows[:, begin : begin + window].T)
        targets = np.ascontiguousarray(following[:, begin : begin + window].T)
        targets = np.where(targets == start, IGNORED, targets)
        yield Window(
            torch.from_numpy(ids).long(),
            torch.from_numpy(targets).long(),
            int((targets != IGNORED).sum()),
        )


def _lay_out(
    documents: Sequence[NDArray[np.int32]], start: int, restart: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    parts: list[NDArray[np.int32]] = []
    symbol = np.array([start], dtype=np.int32)
    for index in rng.permutation(len(documents)):
        document = documents[index]
        cuts = np.flatnonzero(rng.random(len(document)) < 1 / restart)
        for piece in np.split(document, cuts):
            if len(piece):
                parts += (symbol, piece)
    return np.concatenate(parts)
