"""The table of the contexts in training: which rows are kept, and how they learn.

The rows are chosen before training, by the number of passages of the text in which each occurs. A
row that occurs in only one passage teaches nothing about other text. And a network that was trained
without a row loses nothing when it is served without it.
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

# A passage has at most PASSAGE_MOST ids; a longer document is several passages. Where the text has
# too few ids for PASSAGES_WANTED passages, they are shorter, down to PASSAGE_LEAST ids.
PASSAGE_MOST, PASSAGE_LEAST, PASSAGES_WANTED = 16_000, 500, 64
# A row that occurs in fewer passages is not kept.
PASSAGES_NEEDED = 2


def count_rows(documents: Sequence[NDArray[np.int32]], config: NetworkConfig) -> NDArray[np.uint32]:
    """The number of passages in which each row of the table occurs, shape (2^bits,)."""
    contexts = Contexts(config)
    total = sum(len(document) for document in documents)
    passage = min(PASSAGE_MOST, max(PASSAGE_LEAST, total // PASSAGES_WANTED))
    counts = np.zeros(1 << config.context_bits, np.uint32)
    for document in documents:
        for begin in range(0, len(document), passage):
            ids = document[begin : begin + passage, None]
            rows, _ = contexts.follow(ids, ContextState.initial(1))
            # This adds 1 to each row that occurs, however often it occurs in the passage.
            counts[rows.ravel()] += 1
    return counts


def choose_rows(counts: NDArray[np.uint32], most: int) -> NDArray[np.int64]:
    """The rows to keep, ascending: at most `most` of them, those that occur in most passages.

    Rows that occur in fewer than `PASSAGES_NEEDED` passages are never kept.
    """
    rows = np.flatnonzero(counts >= PASSAGES_NEEDED)
    if len(rows) > most:
        order = np.argsort(counts[rows], kind="stable")
        rows = np.sort(rows[order[-most:]])
    return rows


class RowAdagrad:
    """Adagrad (Duchi et al., 2011) for rows that are read seldom; each row has one sum of squares.

    Where a step reads a row several times, every reading adds to the sum by itself. Each row's sum
    starts at `beginning` times the typical mean square of the gradients, so that a row with a small
    gradient takes a small step when it is first read.
    """

    def __init__(self, embedding: ContextEmbedding, beginning: float = 1.0) -> None:
        self._embedding = embedding
        self._beginning = beginning
        self.sums = embedding.rows.new_zeros(len(embedding.rows))
        self.typical = embedding.rows.new_zeros(())
        self.uses = torch.zeros_like(self.sums)

    @torch.no_grad()
    def step(self, rate: float | Tensor) -> None:
        """Takes one step against the gradient of the rows that the embedding last read."""
        slots, read = self._embedding.slots, self._embedding.read
        assert slots is not None
        assert read is not None
        assert read.grad is not None
        rows = self._embedding.rows
        at, gradient = slots.flatten(), read.grad.reshape(-1, rows.shape[1])
        squares = gradient.square().mean(dim=1)
        # The last slot stands for all rows that are not kept, and stays zero.
        known = at < len(rows) - 1
        typical = squares.sum() / known.sum().clamp(min=1)
        self.typical.lerp_(typical, torch.where(self.typical == 0, 1.0, 0.01))
        self.sums.index_add_(0, at, squares)
        self.uses.index_add_(0, at, torch.ones_like(squares))
        scale = (self.sums[at] + self._beginning * self.typical + 1e-30).rsqrt_().mul_(-rate)
        rows.index_add_(0, at, gradient * scale[:, None])
        rows[-1].zero_()

    def forget(self) -> None:
        """Sets the rows to zero, and the sums of their squares and the counts of their readings."""
        self._embedding.rows.zero_()
        self.sums.zero_()
        self.uses.zero_()

    def importance(self) -> Tensor:
        """How often each kept row was read since the tables were last emptied."""
        return self.uses[:-1]
