"""Hashed contexts: the last characters and words as rows of one table (RNNME, Mikolov 2011).

A network with contexts knows more of a text than its hidden state: the last n characters as one
number, and the word so far. Each such context is hashed to a row of a table that all contexts
share, and the row's numbers go into the output layer beside the hidden state. Hashes are uint32
arithmetic modulo 2³²; the state is the last characters and two numbers for the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.network.config import NetworkConfig

UInt32s = NDArray[np.uint32]

HISTORY = 16
"""How many ids the state remembers."""
STATE_SIZE = 2 * HISTORY + 4 + 4
"""The bytes of a state: the last ids plus one as uint16, newest first, then word, then before."""

LEVELS, ZERO = 16, 8
"""A number of a row is one of 16 levels of its table, by a code of 4 bits; ZERO is that of 0."""

MULTIPLIER = 0x9E3779B1
MULTIPLIER_INVERSE = pow(MULTIPLIER, -1, 1 << 32)
ORDER = 0x27D4EB2F
BEFORE = 0x165667B1
FINISH = ((15, 0x85EBCA77), (13, 0xC2B2AE3D), (16, 1))
"""The shifts and factors that spread each bit of a hash over all."""


@dataclass(frozen=True)
class ContextState:
    """What the contexts of n texts need to know of what was read.

    `history` uint16 (n, 16): the last ids plus one, newest first, 0 where nothing was read yet.
    `word`, `before` uint32 (n): hashes of the word so far and of the one before it.
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
        parts = (self.history.astype("<u2"), *(p.astype("<u4")[:, None] for p in self._words))
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

    @property
    def _words(self) -> tuple[UInt32s, UInt32s]:
        return self.word, self.before


class Contexts:
    """The contexts of a network's config: from ids read to rows of the table."""

    def __init__(self, config: NetworkConfig) -> None:
        vocabulary = config.vocabulary()
        self.names = config.contexts
        self.start = vocabulary.start
        self._word_ids = vocabulary.word_ids
        # By id + 1: what was never read, 0, is no word.
        self.word_values = np.concatenate(([False], self._word_ids))
        self.shift = np.uint32(32 - config.context_bits)
        self._orders = [int(n) for n in self.names if n.isdecimal()]
        self.deepest = max(self._orders, default=0)

    def rows(self, state: ContextState) -> NDArray[np.int64]:
        """The rows of the contexts at a state, (n, contexts)."""
        hashes, f = {}, np.zeros(len(state.word), np.uint32)
        for k in range(1, self.deepest + 1):
            f = (f + state.history[:, k - 1]) * np.uint32(MULTIPLIER)
            hashes[str(k)] = f
        return self._rows(hashes, state.word, state.before)

    def follow(
        self, ids: NDArray[np.integer[Any]], state: ContextState
    ) -> tuple[NDArray[np.int64], ContextState]:
        """Reads ids (time, n): the rows after each, (time, n, contexts), and the state at the end.

        A start symbol begins a text: nothing that was read before it is remembered.
        """
        time, n = ids.shape
        values = np.concatenate((state.history[:, ::-1].T.astype(np.uint32), ids.astype(np.uint32)))
        values[HISTORY:] += np.uint32(1)
        # Where the text begins that an id belongs to: the last start symbol, else before it all.
        begins = np.where(ids == self.start, np.arange(HISTORY, HISTORY + time)[:, None], 0)
        begins = np.maximum.accumulate(begins, axis=0)
        resets = begins.any()
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
        """The hashes of the word so far and of the one before, after each of ids (time, n).

        In a word h_t = (h_{t-1} + v_t) M, else v_t M: h_t = M^{t+1} Σ v_j M^{-j}, summed from
        the last id that is in no word. M is odd, so that it has an inverse modulo 2³².
        """
        time, n = ids.shape
        inside = self._word_ids[ids]
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
        # Row 0 holds the word before of the state, row t + 1 that which ended at t, or nothing.
        befores = np.concatenate((state.before[None], np.where(ended, words, np.uint32(0))))
        latest = np.maximum.accumulate(np.where(ended | begins, steps, 0), axis=0)
        return word, np.take_along_axis(befores, latest, axis=0)

    def _rows(
        self, hashes: dict[str, UInt32s], word: UInt32s, before: UInt32s
    ) -> NDArray[np.int64]:
        rows = np.empty((*word.shape, len(self.names)), np.int64)
        for index, name in enumerate(self.names):
            if name == "word":
                mixed = word + np.uint32(17 * ORDER & 0xFFFFFFFF)
            elif name == "words":
                mixed = word + before * np.uint32(BEFORE) + np.uint32(18 * ORDER & 0xFFFFFFFF)
            else:
                mixed = hashes[name] + np.uint32(int(name) * ORDER & 0xFFFFFFFF)
            rows[..., index] = _finish(mixed) >> self.shift
        return rows


def _finish(x: UInt32s) -> UInt32s:
    """Spreads each bit over all: the finaliser of MurmurHash3 (Appleby), with other shifts."""
    for shift, factor in FINISH:
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x


class KeptRows:
    """Which rows of a table were kept, and where each is among them.

    `kept` uint8 (2^bits / 8): a bit for each row, the lowest first.
    """

    def __init__(self, kept: NDArray[np.uint8]) -> None:
        self.kept = kept
        self._bits = kept.view("<u8")
        counts = np.bitwise_count(self._bits)
        self.ranks = np.zeros(len(counts), np.uint32)
        """How many rows are kept before each 64."""
        np.cumsum(counts[:-1], dtype=np.uint32, out=self.ranks[1:])
        self.count = int(self.ranks[-1]) + int(counts[-1])

    def slots(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where among the kept rows each of `rows` is; `count` where it was not kept."""
        group = rows >> 6
        bits, bit = self._bits[group], (rows & 63).astype(np.uint64)
        below = bits & ((np.uint64(1) << bit) - np.uint64(1))
        slots = self.ranks[group] + np.bitwise_count(below).astype(np.int64)
        return np.where((bits >> bit) & np.uint64(1), slots, self.count)


class PackedTable(KeptRows):
    """A table with its kept rows, packed, in ascending order; all others are zeros.

    `levels` int8 (16) are what the codes stand for. The other arrays may be memory-mapped.
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
    """Rows of codes, (…, width), two in a byte, (…, width / 2).

    Those of a row's first half lie in the low four bits, those of its second half in the high ones.
    """
    first, second = np.split(codes, 2, axis=-1)
    packed: NDArray[np.uint8] = first | second << np.uint8(4)
    return packed


def unpack_rows(packed: NDArray[np.uint8], levels: NDArray[np.int8]) -> NDArray[np.int8]:
    """The numbers that packed rows stand for, int8."""
    numbers: NDArray[np.int8] = levels[np.concatenate([packed & 15, packed >> 4], axis=-1)]
    return numbers


def are_levels(levels: NDArray[Any]) -> bool:
    """Whether a table may have these levels: 16 of int8 above −128, and 0 where it must be."""
    fit = levels.dtype == np.int8 and levels.shape == (LEVELS,)
    return fit and levels[ZERO] == 0 and levels.min() > -128


def pack_bits(rows: NDArray[np.integer[Any]], bits: int) -> NDArray[np.uint8]:
    """The bitmap of a table of 2^bits rows in which `rows` are kept."""
    flags = np.zeros(1 << bits, np.bool_)
    flags[rows] = True
    return np.packbits(flags, bitorder="little")
