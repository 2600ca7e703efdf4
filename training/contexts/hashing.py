"""The contexts' hashes as tensor operations, so that a GPU finds the rows of the text it reads.

`model.network.contexts` defines contexts; this is the same arithmetic on tensors. A uint32 is held
in an int64, whose products wrap around at 2⁶⁴, so that their low 32 bits are right.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from model.hashing import (
    AVALANCHE,
    EARLIER_WORD_FACTOR,
    KIND_FACTOR,
    MULTIPLIER,
    MULTIPLIER_INVERSE,
)
from model.network.cells import State
from model.network.contexts import HISTORY, NUMBERS
from model.network.embedding import ContextEmbedding

_MASK = 0xFFFFFFFF


class TensorContexts:
    """Finds the kept rows of contexts, on the device of the embedding's rows."""

    def __init__(self, embedding: ContextEmbedding) -> None:
        device = embedding.rows.device
        contexts = embedding.contexts
        kept = embedding.kept
        # Each row of the table has a slot: the kept rows are numbered in order, and all others
        # share the last slot, whose numbers are zeros.
        table = np.unpackbits(kept.kept, bitorder="little").astype(np.int32)
        slots = np.where(table, np.cumsum(table, dtype=np.int32) - 1, np.int32(kept.count))
        self._slots = torch.from_numpy(slots.astype(np.int32)).to(device)
        self._is_word = torch.from_numpy(contexts.word_values).to(device)
        self._names = contexts.names
        self._deepest = contexts.deepest
        self._start = contexts.start
        self._shift = int(contexts.shift)

    def slots(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Reads ids (time, n); returns the slots after each, (time, n, contexts), and the state."""
        rows, after = self.follow(ids, state)
        return self._slots[rows].long(), after

    def follow(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """As `Contexts.follow`, with the state as (history, word, before), all int64."""
        history, word, before = state
        time = len(ids)
        places = torch.arange(HISTORY, HISTORY + time, device=ids.device)[:, None]
        # The last values that were read before, oldest first, and then the new ones: value v is
        # id v - 1. `ages` counts the values since the text began.
        values = torch.cat((history.flip(1).t(), ids + 1))
        begins = torch.where(ids == self._start, places, 0).cummax(0).values
        ages = places - begins
        hashes, f = {}, torch.zeros_like(ids)
        for k in range(1, self._deepest + 1):
            v = values[HISTORY + 1 - k : HISTORY + 1 - k + time]
            f = ((f + v * (ages >= k - 1)) * MULTIPLIER) & _MASK
            hashes[str(k)] = f
        words, befores = self._words(ids, values[HISTORY - 1 :], word, before)
        rows = [self._row(name, hashes, words, befores) for name in self._names]
        newest = torch.arange(HISTORY, device=ids.device)[:, None]
        history = (values[-HISTORY:].flip(0) * (newest <= ages[-1])).t()
        return torch.stack(rows, dim=-1), (history, words[-1], befores[-1])

    def _words(
        self, ids: Tensor, values: Tensor, word: Tensor, before: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `Contexts._words`, which explains the sums and the powers.

        Row 0 of `values` is the value of the id that was read before `ids`.
        """
        time = len(ids)
        powers = _powers(MULTIPLIER, time + 1, ids.device)[1:]
        inverses = _powers(MULTIPLIER_INVERSE, time, ids.device)
        inside = self._is_word[values]
        scaled = (values[1:] * inverses) & _MASK
        sums = torch.cat((torch.zeros_like(word)[None], word[None], scaled)).cumsum(0)
        steps = torch.arange(1, time + 1, device=ids.device)[:, None]
        since = torch.where(inside[1:], 0, steps).cummax(0).values
        words = ((sums[2:] - sums.gather(0, since)) * powers) & _MASK
        begins = ids == self._start
        ended = ~inside[1:] & inside[:-1] & ~begins
        last = torch.cat((word[None], words[:-1]))
        befores = torch.cat((before[None], torch.where(ended, last, 0)))
        latest = torch.where(ended | begins, steps, 0).cummax(0).values
        return words, befores.gather(0, latest)

    def _row(self, name: str, hashes: dict[str, Tensor], word: Tensor, before: Tensor) -> Tensor:
        if name == "word":
            h = word
        elif name == "words":
            h = word + before * EARLIER_WORD_FACTOR
        else:
            h = hashes[name]
        x = (h + NUMBERS[name] * KIND_FACTOR) & _MASK
        for shift, factor in AVALANCHE:
            x = ((x ^ (x >> shift)) * factor) & _MASK
        return x >> self._shift


@cache
def _powers(base: int, count: int, device: torch.device) -> Tensor:
    """base⁰, base¹, …, modulo 2³², (count, 1)."""
    powers = np.cumprod(
        np.concatenate(([1], np.full(count - 1, base))).astype(np.uint32), dtype=np.uint32
    )
    return torch.from_numpy(powers.astype(np.int64)).to(device)[:, None]
