"""An index of ids by the contexts that they followed: what a page knows of its text.

ADAPTATION.md specifies what is kept. The arrays are the same for every backend; native.py and
plain.py work on them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.vocabulary import Vocabulary

Ids = NDArray[np.int32]
UInt16s = NDArray[np.uint16]

CHAINS: Final = 6
"""Kinds of context: 4 ids, 2 ids, the word, that and the word before, or the one before that, and
what stands above in the line before."""
CHECKS: Final = 3
"""Of these, the last three cannot be checked by the text alone."""
HEADS: Final = 2048
PAIRS: Final = 4096
LIMIT: Final = 12288
"""The most ids in an index."""
SMALLEST: Final = 1024
"""The ids that a new one has room for; then for twice, four, eight, twelve times as many."""


@dataclass(frozen=True)
class Symbols:
    """What is known of ids: how many there are, and which belong to words, (size) of 0 and 1.

    `newline` and `space` are -1 where the vocabulary spells them otherwise.
    """

    letters: NDArray[np.uint8]
    newline: int
    space: int

    @property
    def size(self) -> int:
        return len(self.letters)

    def check(self, number: int) -> int:
        """The id; raises ValueError for one that is not in the vocabulary."""
        if not 0 <= number < self.size:
            raise ValueError(f"id {number} is not in the vocabulary of {self.size} ids")
        return number

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Symbols":
        """Those of a vocabulary."""
        letters = np.ascontiguousarray(vocabulary.word_ids[: vocabulary.size], np.uint8)
        newline, space = (vocabulary.characters.find(c) for c in "\n ")
        return cls(letters, newline, space)


class Index(ABC):
    """Ids one after another, at most LIMIT, found again by what stood before them.

    What it holds is a function of its ids alone, not of how they came: `truncate` undoes `absorb`.
    `ids` (capacity); `links` (capacity, CHAINS), the place before with the same context, + 1;
    `checks` (capacity); `outcomes` (capacity), whether the index would have foretold an id;
    `heads` (CHAINS, HEADS), the last place of each context, + 1; `singles` (size) and `pairs`
    (PAIRS), counts of ids and of pairs.
    """

    def __init__(self, size: int) -> None:
        self.heads = np.zeros((CHAINS, HEADS), np.uint16)
        self.singles = np.zeros(size, np.uint16)
        self.pairs = np.zeros(PAIRS, np.uint16)
        self.ids = np.zeros(SMALLEST, np.uint16)
        self.links = np.zeros((SMALLEST, CHAINS), np.uint16)
        self.checks = np.zeros((SMALLEST, CHECKS), np.uint8)
        self.outcomes = np.zeros(SMALLEST, np.uint8)

    @property
    @abstractmethod
    def length(self) -> int:
        """How many ids it holds."""

    @property
    def capacity(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """The memory of all arrays."""
        arrays = (self.heads, self.singles, self.pairs, *self._by_place())
        return sum(array.nbytes for array in arrays)

    def content(self) -> bytes:
        """All that it holds, without the room behind its ids."""
        arrays = [array[: self.length] for array in self._by_place()]
        return b"".join(a.tobytes() for a in (self.heads, self.singles, self.pairs, *arrays))

    @abstractmethod
    def absorb(self, ids: Ids) -> None:
        """Appends ids; there must be room below LIMIT."""

    @abstractmethod
    def truncate(self, length: int) -> None:
        """Takes back all ids but the first `length`."""

    def make_room(self, length: int) -> None:
        """Grows the arrays to hold so many ids."""
        capacity = self.capacity
        while capacity < length:
            capacity = min(2 * capacity, LIMIT)
        if capacity == self.capacity:
            return
        self.ids, self.links, self.checks, self.outcomes = (
            np.concatenate([a, np.zeros((capacity - len(a), *a.shape[1:]), a.dtype)])
            for a in self._by_place()
        )

    def _by_place(self) -> tuple[NDArray[Any], ...]:
        return self.ids, self.links, self.checks, self.outcomes
