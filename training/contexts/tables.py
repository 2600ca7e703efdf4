"""The table of the contexts in training: which rows it has, and how they learn.

Which rows are kept is decided before training, by how many passages of the text a row occurs in:
what occurs in one alone teaches nothing about other text, and a network that has been trained
without a row loses nothing by not having it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network.config import NetworkConfig
from model.network.contexts import Contexts, ContextState
from model.network.embedding import ContextEmbedding

PASSAGE, SHORTEST, PASSAGES = 16_000, 500, 64
"""Ids of a passage at the most, a longer document being several; of little text they are shorter,
down to the second number, so that there are as many as the third."""
FEWEST = 2
"""A row that occurs in fewer passages is not kept."""


def count_rows(documents: Sequence[NDArray[np.int32]], config: NetworkConfig) -> NDArray[np.uint32]:
    """In how many passages each row of the table occurs, (2^bits)."""
    contexts = Contexts(config)
    total = sum(len(document) for document in documents)
    passage = min(PASSAGE, max(SHORTEST, total // PASSAGES))
    counts = np.zeros(1 << config.context_bits, np.uint32)
    for document in documents:
        for begin in range(0, len(document), passage):
            ids = document[begin : begin + passage, None]
            rows, _ = contexts.follow(ids, ContextState.initial(1))
            counts[rows.ravel()] += 1  # Once for each row, however often it is listed.
    return counts


def choose_rows(counts: NDArray[np.uint32], most: int) -> NDArray[np.int64]:
    """The `most` rows that occur in most passages, ascending; none that occurs in one alone."""
    rows = np.flatnonzero(counts >= FEWEST)
    if len(rows) > most:
        order = np.argsort(counts[rows], kind="stable")
        rows = np.sort(rows[order[-most:]])
    return rows


class RowAdagrad:
    """Adagrad with one sum of squares a row (Duchi et al., 2011), for rows that are read seldom.

    Each time that a row is read counts for itself. The mean square of the gradients of the first
    steps stands in every row's sum from the start, so that a row read once, with a small gradient,
    takes a small step.
    """

    def __init__(self, embedding: ContextEmbedding, beginning: float = 1.0) -> None:
        self._embedding = embedding
        self._beginning = beginning
        self.sums = embedding.rows.new_zeros(len(embedding.rows))
        self.typical = embedding.rows.new_zeros(())
        self.uses = torch.zeros_like(self.sums)

    @torch.no_grad()
    def step(self, rate: float | Tensor) -> None:
        """Takes one step along the gradient of what the embedding last read."""
        slots, read = self._embedding.slots, self._embedding.read
        assert slots is not None
        assert read is not None
        assert read.grad is not None
        rows = self._embedding.rows
        at, gradient = slots.flatten(), read.grad.reshape(-1, rows.shape[1])
        squares = gradient.square().mean(dim=1)
        known = at < len(rows) - 1
        typical = squares.sum() / known.sum().clamp(min=1)
        self.typical.lerp_(typical, torch.where(self.typical == 0, 1.0, 0.01))
        self.sums.index_add_(0, at, squares)
        self.uses.index_add_(0, at, torch.ones_like(squares))
        scale = (self.sums[at] + self._beginning * self.typical + 1e-30).rsqrt_().mul_(-rate)
        rows.index_add_(0, at, gradient * scale[:, None])
        rows[-1].zero_()

    def forget(self) -> None:
        """Zeroes the rows and all that was learnt about their gradients."""
        self._embedding.rows.zero_()
        self.sums.zero_()
        self.uses.zero_()

    def importance(self) -> Tensor:
        """How often each kept row was read."""
        return self.uses[:-1]
