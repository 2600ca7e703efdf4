"""Batches: documents cut into texts, laid end to end, and read as parallel streams."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.presets import LATE

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
    late: NDArray[np.bool_] | None = None,
    line_end: int | None = None,
    between: tuple[float, float] = LATE,
) -> Iterator[Window]:
    """One epoch: every document once, in a new order, cut at new places.

    Where `line_end` is named cuts are behind it, for so a text begins that is given to complete.

    The start symbol stands before each document and each cut. A last part that does not fill
    all streams is read in the next epoch's order, hence seldom the same. Documents that are
    `late` are read `between` these shares of the text.
    """
    moments = rng.random(len(documents))
    if late is not None:
        moments[late] = between[0] + moments[late] * (between[1] - between[0])
    ordered = [documents[index] for index in np.argsort(moments)]
    pieces = _cut(ordered, start, restart, rng, line_end)
    text = np.concatenate(_deal(pieces, streams))
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


def _cut(
    documents: Sequence[NDArray[np.int32]],
    start: int,
    restart: int,
    rng: np.random.Generator,
    line_end: int | None,
) -> list[NDArray[np.int32]]:
    """The documents in pieces, each with the start symbol before it."""
    pieces: list[NDArray[np.int32]] = []
    for document in documents:
        cuts = np.flatnonzero(rng.random(len(document)) < 1 / restart)
        if line_end is not None:
            lines = np.append(np.flatnonzero(document == line_end) + 1, len(document))
            cuts = np.unique(lines[np.searchsorted(lines, cuts)])
        pieces += [np.insert(piece, 0, start) for piece in np.split(document, cuts) if len(piece)]
    return pieces


def _deal(pieces: Sequence[NDArray[np.int32]], streams: int) -> list[NDArray[np.int32]]:
    """The pieces stream after stream; each goes to the stream that has least so far.

    So what comes early among the pieces is read early, in whichever stream.
    """
    dealt: list[list[NDArray[np.int32]]] = [[] for _ in range(streams)]
    lengths = [(0, stream) for stream in range(streams)]
    for piece in pieces:
        length, stream = lengths[0]
        dealt[stream].append(piece)
        heapq.heapreplace(lengths, (length + len(piece), stream))
    return [piece for stream in dealt for piece in stream]
