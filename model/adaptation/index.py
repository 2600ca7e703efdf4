"""An index of ids by the contexts that they followed: what a page knows of its text.

ADAPTATION.md specifies what is kept. The arrays are the same for both backends, which are native.py
and plain_index.py.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.vocabulary import Vocabulary

Ids = NDArray[np.int32]
UInt16s = NDArray[np.uint16]

# The kinds of context: the last 4 ids; the last 2 ids; the word so far; that word with the word
# before it; that word with the second word before it; what stands above in the line before. All
# places with the same hash of a context are linked in a chain.
CHAINS: Final = 6
# In the chains of the first three kinds, the ids before a place show whether its context is really
# the same. In those of the last three, a byte of the hash, kept for each place, is compared.
CHECKS: Final = 3
# How many chains each kind of context has, and how many counters there are for pairs of ids.
HEADS: Final = 2048
PAIRS: Final = 4096
# The most ids in an index.
LIMIT: Final = 10240
# The ids that a new index has room for; it grows to 2, 4, 8 and 10 times as many.
FIRST_CAPACITY: Final = 1024
# What is kept of a place. `links`: the place before in each chain, + 1. `checks`: what tells
# contexts of one chain apart. `outcome`: whether the index would have predicted the id.
ENTRY: Final = np.dtype(
    [("links", np.uint16, CHAINS), ("checks", np.uint8, CHECKS), ("outcome", np.uint8)]
)


@dataclass(frozen=True)
class Symbols:
    """What an engine knows of ids: `letters` (size) is 1 for those that belong to words, else 0.

    `newline` and `space` are ids, or −1 where the vocabulary has none for these characters.
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
        """The symbols of a vocabulary."""
        letters = np.ascontiguousarray(vocabulary.word_ids[: vocabulary.size], np.uint8)
        newline, space = (vocabulary.characters.find(c) for c in "\n ")
        return cls(letters, newline, space)


class Index(ABC):
    """Ids one after another, at most LIMIT, found again by what stood before them.

    What an index holds depends only on its ids: `truncate` undoes exactly what `absorb` did.

    `ids` (capacity) are the ids, and `entries` (capacity) what is kept of each place. `heads`
    (CHAINS, HEADS) is the last place of each chain, + 1. `singles` (size) and `pairs` (PAIRS) count
    ids and pairs of ids.
    """

    def __init__(self, size: int) -> None:
        self.heads = np.zeros((CHAINS, HEADS), np.uint16)
        self.singles = np.zeros(size, np.uint16)
        self.pairs = np.zeros(PAIRS, np.uint16)
        self.ids = np.zeros(FIRST_CAPACITY, np.uint16)
        self.entries = np.zeros(FIRST_CAPACITY, ENTRY)

    @property
    @abstractmethod
    def length(self) -> int:
        """How many ids the index holds."""

    @property
    def capacity(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """The memory of all arrays."""
        arrays = (self.heads, self.singles, self.pairs, self.ids, self.entries)
        return sum(array.nbytes for array in arrays)

    def content(self) -> bytes:
        """The bytes of all arrays, without the free room behind the ids."""
        by_place = self.ids[: self.length], self.entries[: self.length]
        return b"".join(a.tobytes() for a in (self.heads, self.singles, self.pairs, *by_place))

    @abstractmethod
    def absorb(self, ids: Ids) -> None:
        """Appends ids. With those that the index holds already, there must be at most LIMIT."""

    @abstractmethod
    def truncate(self, length: int) -> None:
        """Takes back all ids after the first `length`.

        No copy of an earlier index is needed, because all that absorbing an id changed can be
        undone: the earlier head of a chain is in the link of the place that became the new head,
        counts are decreased again, and the context at the new end is read from the ids again.
        """

    def make_room(self, length: int) -> None:
        """Lets the arrays grow until they hold `length` ids."""
        capacity = self.capacity
        while capacity < length:
            capacity = min(2 * capacity, LIMIT)
        if capacity == self.capacity:
            return
        more = capacity - self.capacity
        self.ids = np.concatenate([self.ids, np.zeros(more, np.uint16)])
        self.entries = np.concatenate([self.entries, np.zeros(more, ENTRY)])
