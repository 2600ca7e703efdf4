"""The contexts' part of the network: rows of a table, looked up for the ids that were read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network.cells import State
from model.network.codebook import fit_levels, nearest
from model.network.config import NetworkConfig
from model.network.contexts import HISTORY, Contexts, ContextState, KeptRows, pack_rows, unpack_rows

# The int8 that stands for 1 in a served row.
ONE_AS_INT8 = 127
# The levels are fitted to about this many of the rows.
FITTED_ROWS = 1 << 13


class ContextEmbedding(nn.Module):
    """For each id that is read, the rows of its contexts side by side.

    `rows` (kept rows + 1, width): the last row is zeros and stands for all rows that were not kept.
    `rows` is no parameter of torch. Each row is read so seldom that the table has an optimiser of
    its own (`training.contexts.tables`). After a forward pass with gradients, that optimiser reads
    from `slots` which rows were looked up, and from the tensor `read` their gradient.
    """

    rows: Tensor
    # From ids (time, batch) and the state to slots (time, batch, contexts) and the next state.
    find: Callable[[Tensor, State], tuple[Tensor, State]]

    def __init__(self, config: NetworkConfig, kept: NDArray[np.uint8] | None = None) -> None:
        super().__init__()
        self.width = config.context_width
        self.contexts = Contexts(config)
        self.slots: Tensor | None = None
        self.read: Tensor | None = None
        self.keep(np.zeros((1 << config.context_bits) // 8, np.uint8) if kept is None else kept)

    def keep(self, kept: NDArray[np.uint8]) -> None:
        """Makes a new table of the rows that the bitmap `kept` names, all of them zeros."""
        self.kept = KeptRows(kept)
        self.find = self._find
        zeros = torch.zeros(self.kept.count + 1, self.width)
        self.register_buffer("rows", zeros, persistent=False)

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

    def load_packed(self, packed: NDArray[np.uint8], levels: NDArray[np.int8]) -> None:
        """Takes the kept rows of a checkpoint."""
        self.rows[:-1] = torch.from_numpy(unpack_rows(packed, levels)) / ONE_AS_INT8

    def packed(
        self, importance: Tensor | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.int8], float]:
        """The kept rows and the levels as a checkpoint has them, and what ONE_AS_INT8 stands for.

        The levels are fitted for the least squared error, weighted by each row's `importance` (kept
        rows).
        """
        rows = self.rows[:-1].cpu()
        weights = torch.ones(len(rows)) if importance is None else importance.cpu()
        every = max(1, len(rows) // FITTED_ROWS)
        exact = fit_levels(rows[::every].numpy(), weights[::every, None].numpy())
        reach = float(np.abs(exact).max()) or 1.0
        levels = np.rint(exact * (ONE_AS_INT8 / reach)).astype(np.int8)
        codes = nearest(rows.numpy(), levels * np.float32(reach / ONE_AS_INT8))
        return pack_rows(codes.astype(np.uint8)), levels, reach


def _to_tensors(state: ContextState) -> State:
    parts = (state.history, state.word, state.before)
    return tuple(torch.from_numpy(part.astype(np.int64)) for part in parts)


def _from_tensors(state: State) -> ContextState:
    history, word, before = (part.numpy() for part in state)
    assert history.shape[1] == HISTORY
    return ContextState(history.astype(np.uint16), word.astype(np.uint32), before.astype(np.uint32))
