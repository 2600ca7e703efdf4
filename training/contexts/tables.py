"""The table of the contexts in training: which rows it has, and how they learn.

Which rows are kept is decided before training, by the number of passages of the text in which a row
occurs. A row that occurs in one passage alone teaches nothing about other text. And a network that
was trained without a row loses nothing by not having it.
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

# A passage has at most PASSAGE_MOST ids; longer documents are several passages. Where that gives
# fewer than PASSAGES_WANTED of them, passages are shorter, down to PASSAGE_LEAST ids.
PASSAGE_MOST, PASSAGE_LEAST, PASSAGES_WANTED = 16_000, 500, 64
# A row that occurs in fewer passages is not kept.
PASSAGES_NEEDED = 2


def count_rows(documents: Sequence[NDArray[np.int32]], config: NetworkConfig) -> NDArray[np.uint32]:
    """The number of passages in which each row of the table occurs, (2^bits)."""
    contexts = Contexts(config)
    total = sum(len(document) for document in documents)
    passage = min(PASSAGE_MOST, max(PASSAGE_LEAST, total // PASSAGES_WANTED))
    counts = np.zeros(1 << config.context_bits, np.uint32)
    for document in documents:
        for begin in range(0, len(document), passage):
            ids = document[begin : begin + passage, None]
            rows, _ = contexts.follow(ids, ContextState.initial(1))
            # numpy adds 1 once for each row, however often the row is listed.
            counts[rows.ravel()] += 1
    return counts


def choose_rows(counts: NDArray[np.uint32], most: int) -> NDArray[np.int64]:
    """The `most` rows that occur in most passages, ascending, without rows of one passage alone."""
    rows = np.flatnonzero(counts >= PASSAGES_NEEDED)
    if len(rows) > most:
        order = np.argsort(counts[rows], kind="stable")
        rows = np.sort(rows[order[-most:]])
    return rows


class RowAdagrad:
    """Adagrad (Duchi et al., 2011) with one sum of squares for each row, for rows read seldom.

    Where a step reads a row several times, each time counts by itself. Every row's sum starts at
    the typical mean square of the gradients, times `beginning`, so that a row with a small gradient
    takes a small step when it is first read.
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
        """Zeroes the rows, and the sums and counts of their gradients."""
        self._embedding.rows.zero_()
        self.sums.zero_()
        self.uses.zero_()

    def importance(self) -> Tensor:
        """How often each kept row was read."""
        return self.uses[:-1]
