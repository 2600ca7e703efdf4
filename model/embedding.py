"""The contexts' part of the network: rows of a table, looked up for what was read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.cells import State
from model.config import NetworkConfig
from model.contexts import HISTORY, Contexts, ContextState, KeptRows

UNSEEN = 0.0
LEVELS = 127
"""A served row is int8 in −127…127; as a number it is that ÷ 127."""
REACHES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2)


class ContextEmbedding(nn.Module):
    """For each id read the rows of its contexts, side by side.

    `rows` (kept rows + 1, width): the last is zeros and stands for all that were not kept. They are
    no parameter: a row is touched so seldom that its training is a matter of its own, for which
    `slots` and `read`, what was last looked up with a gradient, are left here.
    """

    rows: Tensor
    find: Callable[[Tensor, State], tuple[Tensor, State]]
    """From ids (time, batch) and the state to slots (time, batch, contexts) and the next state."""

    def __init__(self, config: NetworkConfig, kept: NDArray[np.uint8] | None = None) -> None:
        super().__init__()
        self.width = config.context_width
        self.contexts = Contexts(config)
        self.slots: Tensor | None = None
        self.read: Tensor | None = None
        self.keep(np.zeros((1 << config.context_bits) // 8, np.uint8) if kept is None else kept)

    def keep(self, kept: NDArray[np.uint8]) -> None:
        """Begins anew with these rows kept (a bitmap), all zeros."""
        self.kept = KeptRows(kept)
        self.find = self._find
        empty = torch.full((self.kept.count + 1, self.width), UNSEEN)
        self.register_buffer("rows", empty, persistent=False)

    def initial(self, batch: int) -> State:
        """The state before any input: history, word and before, as in `ContextState`."""
        state = _to_tensors(ContextState.initial(batch))
        return tuple(part.to(self.rows.device) for part in state)

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Ids (time, batch) to their rows (time, batch, contexts · width), and the next state."""
        slots, after = self.find(ids, state)
        read = nn.functional.embedding(slots, self.rows)
        if torch.is_grad_enabled():
            self.slots, self.read = slots, read.requires_grad_()
        return read.flatten(2), after

    def _find(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        rows, after = self.contexts.follow(ids.numpy(), _from_tensors(state))
        return torch.from_numpy(self.kept.slots(rows)), _to_tensors(after)

    def packed(self, importance: Tensor | None = None) -> tuple[NDArray[np.int8], float]:
        """The kept rows as int8, and the number that 127 stands for.

        Rows that reach further are cut: how far is what costs least in the mean square, each row
        weighing its `importance` (kept rows).
        """
        rows = self.rows[:-1].cpu()
        largest = float(rows.abs().max()) if len(rows) else 0.0
        if largest == 0:
            return np.zeros(rows.shape, np.int8), 1.0
        weights = torch.ones(len(rows)) if importance is None else importance.cpu()
        best, least = largest, float("inf")
        for reach in REACHES:
            change = rows - _rounded(rows, largest * reach) * (largest * reach / LEVELS)
            cost = float(change.square().sum(dim=1) @ weights)
            if cost < least:
                best, least = largest * reach, cost
        return _rounded(rows, best).to(torch.int8).numpy(), best


def _rounded(rows: Tensor, reach: float) -> Tensor:
    return (rows * (LEVELS / reach)).round_().clamp_(-LEVELS, LEVELS)


def _to_tensors(state: ContextState) -> State:
    parts = (state.history, state.word, state.before)
    return tuple(torch.from_numpy(part.astype(np.int64)) for part in parts)


def _from_tensors(state: State) -> ContextState:
    history, word, before = (part.numpy() for part in state)
    assert history.shape[1] == HISTORY
    return ContextState(history.astype(np.uint16), word.astype(np.uint32), before.astype(np.uint32))
