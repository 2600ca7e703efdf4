"""Batches: documents are cut into pieces, dealt to parallel streams, and read in windows."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.presets import LATE_SHARES

# The target where the next id begins another text. Cross entropy leaves such steps out.
IGNORED = -100


@dataclass(frozen=True)
class EncodedDocuments:
    """Documents as ids; `late` tells for each whether it is read late in an epoch (None: none)."""

    ids: Sequence[NDArray[np.int32]]
    late: NDArray[np.bool_] | None = None

    @property
    def total(self) -> int:
        """The number of ids in all documents together."""
        return sum(len(document) for document in self.ids)


@dataclass(frozen=True)
class StreamLayout:
    """How documents are laid out for one epoch.

    `streams` texts are read side by side, `window` ids at a time. Documents are cut at random, on
    average every `restart` ids, and the id `start` is put before each piece. Where `line_end` is
    given, each cut moves on to the next such id and falls after it: a text that a user wants
    completed begins with a line, too. Late documents are read between the shares `late_shares` of
    the epoch.
    """

    start: int
    streams: int
    window: int
    restart: int
    line_end: int | None = None
    late_shares: tuple[float, float] = LATE_SHARES


@dataclass(frozen=True)
class Window:
    """Ids to read and ids to predict, both (time, streams).

    `characters` is the number of ids to predict, without those that are ignored.
    """

    ids: Tensor
    targets: Tensor
    characters: int


def windows(
    documents: EncodedDocuments, layout: StreamLayout, rng: np.random.Generator
) -> Iterator[Window]:
    """One epoch: every document once, in a random order, cut at random places.

    The ids at the end that do not fill all streams are left out. The order differs between epochs,
    so that other ids are left out each time.
    """
    # Each document is drawn a moment in the epoch, from 0 to 1, and is read in that order.
    moments = rng.random(len(documents.ids))
    if documents.late is not None:
        begin, end = layout.late_shares
        moments[documents.late] = begin + moments[documents.late] * (end - begin)
    ordered = [documents.ids[index] for index in np.argsort(moments)]
    text = np.concatenate(_deal(_cut(ordered, layout, rng), layout.streams))
    length = (len(text) - 1) // layout.streams
    rows = text[: length * layout.streams].reshape(layout.streams, length)
    following = text[1 : length * layout.streams + 1].reshape(layout.streams, length)
    for first in range(0, length, layout.window):
        ids = np.ascontiguousarray(rows[:, first : first + layout.window].T)
        targets = np.ascontiguousarray(following[:, first : first + layout.window].T)
        targets = np.where(targets == layout.start, IGNORED, targets)
        yield Window(
            torch.from_numpy(ids).long(),
            torch.from_numpy(targets).long(),
            int((targets != IGNORED).sum()),
        )


def _cut(
    documents: Sequence[NDArray[np.int32]], layout: StreamLayout, rng: np.random.Generator
) -> list[NDArray[np.int32]]:
    """The documents cut into pieces, each with the start symbol before it."""
    pieces: list[NDArray[np.int32]] = []
    for document in documents:
        cuts = np.flatnonzero(rng.random(len(document)) < 1 / layout.restart)
        if layout.line_end is not None:
            lines = np.append(np.flatnonzero(document == layout.line_end) + 1, len(document))
            cuts = np.unique(lines[np.searchsorted(lines, cuts)])
        parts = [part for part in np.split(document, cuts) if len(part)]
        pieces += [np.insert(part, 0, layout.start) for part in parts]
    return pieces


def _deal(pieces: Sequence[NDArray[np.int32]], streams: int) -> list[NDArray[np.int32]]:
    """The pieces in a new order: all of the first stream, then all of the second, and so on.

    Each piece goes to the stream that is shortest so far. All streams are read side by side, so
    that pieces are read about in the order in which they are given.
    """
    dealt: list[list[NDArray[np.int32]]] = [[] for _ in range(streams)]
    lengths = [(0, stream) for stream in range(streams)]
    for piece in pieces:
        length, stream = lengths[0]
        dealt[stream].append(piece)
        heapq.heapreplace(lengths, (length + len(piece), stream))
    return [piece for stream in dealt for piece in stream]
