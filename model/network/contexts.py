"""Hashed contexts: the last characters and words as rows of one table (RNNME, Mikolov 2011).

A network with contexts has more information on a text than its hidden state: its last n characters
and its last words. Each such context is hashed to a row of a table that all contexts share, and the
output layer reads the row's numbers beside the hidden state. The state of the contexts is the last
ids, and a hash for each of the last two words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.hashing import (
    AVALANCHE,
    EARLIER_WORD_FACTOR,
    KIND_FACTOR,
    MULTIPLIER,
    MULTIPLIER_INVERSE,
)
from model.network.config import CONTEXTS, NetworkConfig

UInt32s = NDArray[np.uint32]

# How many ids the state remembers.
HISTORY = 16
# The bytes of a state: the last ids plus one as uint16, newest first, then word, then before.
STATE_SIZE = 2 * HISTORY + 4 + 4

# The number that tells a context apart in its hash. Orders are their own numbers; `word` and
# `words` come after them.
NUMBERS = {name: number for number, name in enumerate(CONTEXTS, start=2)}

# Each number of a row is one of the table's 16 levels, stored as a code of 4 bits. The level of
# ZERO_CODE is 0.
LEVELS, ZERO_CODE = 16, 8


@dataclass(frozen=True)
class ContextState:
    """What the contexts of n texts remember of the ids that were read.

    `history` uint16 (n, 16): the last ids plus one, newest first, 0 where nothing was read yet.
    `word`, `before` uint32 (n): the hashes of the word so far and of the word before it.
    """

    history: NDArray[np.uint16]
    word: UInt32s
    before: UInt32s

    @classmethod
    def initial(cls, n: int) -> ContextState:
        """The state before anything is read: zeros."""
        return cls(
            np.zeros((n, HISTORY), np.uint16), np.zeros(n, np.uint32), np.zeros(n, np.uint32)
        )

    def to_bytes(self) -> NDArray[np.uint8]:
        """The state as bytes, uint8 (n, 40), little-endian."""
        words = (part.astype("<u4")[:, None] for part in (self.word, self.before))
        parts = (self.history.astype("<u2"), *words)
        return np.concatenate([np.ascontiguousarray(p).view(np.uint8) for p in parts], axis=1)

    @classmethod
    def from_bytes(cls, states: NDArray[np.uint8]) -> ContextState:
        """The states that `to_bytes` wrote, uint8 (n, 40)."""
        cut = 2 * HISTORY
        history = np.ascontiguousarray(states[:, :cut]).view("<u2")
        words = np.ascontiguousarray(states[:, cut:]).view("<u4")
        return cls(
            history.astype(np.uint16), words[:, 0].astype(np.uint32), words[:, 1].astype(np.uint32)
        )


class Contexts:
    """The contexts that a network's config names: from the ids read so far to rows of the table."""

    def __init__(self, config: NetworkConfig) -> None:
        vocabulary = config.vocabulary()
        self.names = config.contexts
        self.start = vocabulary.start
        self._word_ids = vocabulary.word_ids
        # The same, indexed by id plus one. 0, which means that nothing was read, is in no word.
        self.word_values = np.concatenate(([False], self._word_ids))
        self.shift = np.uint32(32 - config.context_bits)
        self._orders = [int(n) for n in self.names if n.isdecimal()]
        self.deepest = max(self._orders, default=0)

    def rows(self, state: ContextState) -> NDArray[np.int64]:
        """The rows that the contexts lead to at a state, (n, contexts)."""
        hashes, f = {}, np.zeros(len(state.word), np.uint32)
        for k in range(1, self.deepest + 1):
            f = (f + state.history[:, k - 1]) * np.uint32(MULTIPLIER)
            hashes[str(k)] = f
        return self._rows(hashes, state.word, state.before)

    def follow(
        self, ids: NDArray[np.integer[Any]], state: ContextState
    ) -> tuple[NDArray[np.int64], ContextState]:
        """Reads ids (time, n): the rows after each, (time, n, contexts), and the state at the end.

        A start symbol begins a text: nothing that was read before it is remembered. All time steps
        are computed at once, by operations on whole arrays.
        """
        time, n = ids.shape
        values = np.concatenate((state.history[:, ::-1].T.astype(np.uint32), ids.astype(np.uint32)))
        values[HISTORY:] += np.uint32(1)
        # For each id, where its text begins: at the last start symbol, or at 0, before all that is
        # remembered.
        begins = np.where(ids == self.start, np.arange(HISTORY, HISTORY + time)[:, None], 0)
        begins = np.maximum.accumulate(begins, axis=0)
        resets = begins.any()
        # The hash of order k is computed from that of order k − 1: f_k = (f_{k−1} + v_k) M. v_k is
        # the value read k − 1 ids before, or 0 where that lies before the text.
        hashes, f = {}, np.zeros((time, n), np.uint32)
        ages = np.arange(HISTORY, HISTORY + time)[:, None] - begins
        for k in range(1, self.deepest + 1):
            v = values[HISTORY + 1 - k : HISTORY + 1 - k + time]
            f = (f + (v * (ages >= k - 1) if resets else v)) * np.uint32(MULTIPLIER)
            hashes[str(k)] = f
        word, before = self._words(ids, values[HISTORY:], values[HISTORY - 1], state)
        kept = np.arange(HISTORY)[:, None] <= ages[-1]
        history = (values[: -HISTORY - 1 : -1] * kept).T.astype(np.uint16)
        after = ContextState(history, word[-1].copy(), before[-1].copy())
        return self._rows(hashes, word, before), after

    def _words(
        self,
        ids: NDArray[np.integer[Any]],
        values: UInt32s,
        last: UInt32s,
        state: ContextState,
    ) -> tuple[UInt32s, UInt32s]:
        """The hashes of the word so far and of the word before it, after each of ids (time, n).

        `values` (time, n) are the ids plus one; `last` (n) is the value read just before them.
        Within a word h_t = (h_{t−1} + v_t) M; elsewhere h_t = v_t M.
        """
        time, n = ids.shape
        inside = self._word_ids[ids]
        # A loop over time would be slow, so the recursion is solved: h_t = M^{t+1} Σ v_j M^{−j},
        # summed from the last id that is in no word. Each such sum is the difference of two running
        # sums over all ids. Dividing by M^j is exact, because the odd M has an inverse modulo 2³².
        powers = np.cumprod(np.full(time, MULTIPLIER, np.uint32), dtype=np.uint32)[:, None]
        inverses = np.cumprod(
            np.concatenate(([1], np.full(time - 1, MULTIPLIER_INVERSE, np.uint32))), dtype=np.uint32
        )[:, None]
        sums = np.zeros((time + 2, n), np.uint32)
        sums[1] = state.word
        sums[2:] = values * inverses
        sums = np.cumsum(sums, axis=0, dtype=np.uint32)
        steps = np.arange(1, time + 1)[:, None]
        since = np.maximum.accumulate(np.where(inside, 0, steps), axis=0)
        word = (sums[2:] - np.take_along_axis(sums, since, axis=0)) * powers
        was_inside = np.concatenate((self.word_values[last][None], inside[:-1]))
        words = np.concatenate((state.word[None], word[:-1]))
        begins = ids == self.start
        ended = ~inside & was_inside & ~begins
        # `befores[0]` is the state's word before. `befores[t + 1]` is the word that ended at step
        # t, or 0. Each step takes the entry of the last step at which a word ended or a start
        # symbol was read; the entry of a start symbol is 0.
        befores = np.concatenate((state.before[None], np.where(ended, words, np.uint32(0))))
        latest = np.maximum.accumulate(np.where(ended | begins, steps, 0), axis=0)
        return word, np.take_along_axis(befores, latest, axis=0)

    def _rows(
        self, hashes: dict[str, UInt32s], word: UInt32s, before: UInt32s
    ) -> NDArray[np.int64]:
        rows = np.empty((*word.shape, len(self.names)), np.int64)
        for index, name in enumerate(self.names):
            if name == "word":
                h = word
            elif name == "words":
                h = word + before * np.uint32(EARLIER_WORD_FACTOR)
            else:
                h = hashes[name]
            number = np.uint32(NUMBERS[name] * KIND_FACTOR & 0xFFFFFFFF)
            rows[..., index] = _avalanche(h + number) >> self.shift
        return rows


def _avalanche(x: UInt32s) -> UInt32s:
    for shift, factor in AVALANCHE:
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x


class KeptRows:
    """Which rows of a table were kept, and where each of them is among the kept ones.

    `kept` uint8 (2^bits / 8): a bit for each row, the lowest bit of a byte first.
    """

    def __init__(self, kept: NDArray[np.uint8]) -> None:
        self.kept = kept
        self._bits = kept.view("<u8")
        counts = np.bitwise_count(self._bits)
        # How many rows are kept before each group of 64.
        self.ranks = np.zeros(len(counts), np.uint32)
        np.cumsum(counts[:-1], dtype=np.uint32, out=self.ranks[1:])
        self.count = int(self.ranks[-1]) + int(counts[-1])

    def slots(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each of `rows` among the kept ones; `count` for a row that was not kept."""
        group = rows >> 6
        bits, bit = self._bits[group], (rows & 63).astype(np.uint64)
        below = bits & ((np.uint64(1) << bit) - np.uint64(1))
        slots = self.ranks[group] + np.bitwise_count(below).astype(np.int64)
        return np.where((bits >> bit) & np.uint64(1), slots, self.count)


class PackedTable(KeptRows):
    """A table that stores only its kept rows; all other rows are zeros.

    `rows` uint8 (kept rows, width / 2) are the packed rows in ascending order, `levels` int8 (16)
    the numbers that their codes stand for. `kept` and `rows` may be memory-mapped.
    """

    def __init__(
        self, kept: NDArray[np.uint8], rows: NDArray[np.uint8], levels: NDArray[np.int8]
    ) -> None:
        super().__init__(kept)
        self.rows = rows
        self.levels = levels

    def look_up(self, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        """The numbers of each row, int8 (…, width)."""
        found = np.zeros((*rows.shape, 2 * self.rows.shape[1]), np.int8)
        slots = self.slots(rows)
        known = slots < self.count
        found[known] = unpack_rows(self.rows[slots[known]], self.levels)
        return found


def pack_rows(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of codes, (…, width), packed two to a byte, (…, width / 2).

    The codes of a row's first half lie in the low four bits, those of its second half in the high
    four.
    """
    first, second = np.split(codes, 2, axis=-1)
    packed: NDArray[np.uint8] = first | second << np.uint8(4)
    return packed


def unpack_rows(packed: NDArray[np.uint8], levels: NDArray[np.int8]) -> NDArray[np.int8]:
    """The numbers that packed rows stand for, int8 (…, width)."""
    numbers: NDArray[np.int8] = levels[np.concatenate([packed & 15, packed >> 4], axis=-1)]
    return numbers


def are_levels(levels: NDArray[Any]) -> bool:
    """Whether a table may have these levels: 16 int8 above −128, with 0 at ZERO_CODE."""
    fit = levels.dtype == np.int8 and levels.shape == (LEVELS,)
    return fit and levels[ZERO_CODE] == 0 and levels.min() > -128


def pack_bits(rows: NDArray[np.integer[Any]], bits: int) -> NDArray[np.uint8]:
    """The bitmap of a table of 2^bits rows in which `rows` are kept."""
    flags = np.zeros(1 << bits, np.bool_)
    flags[rows] = True
    return np.packbits(flags, bitorder="little")
