"""An index of ids by the contexts that they followed: what a page knows of its text.

ADAPTATION.md specifies what is kept. The arrays are the same for every backend; native.py and
plain.py work on them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

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
LIMIT: Final = 10240
"""The most ids in an index."""
SMALLEST: Final = 1024
"""The ids that a new one has room for; then for twice, four, eight, ten times as many."""
ENTRY: Final = np.dtype(
    [("links", np.uint16, CHAINS), ("checks", np.uint8, CHECKS), ("outcome", np.uint8)]
)
"""What is kept of a place: in `links` the place before with the same context, + 1; in `checks` what
tells contexts apart that share a hash; whether the index would have foretold its id."""


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
    `ids` and `entries` (capacity), what is known of each place; `heads` (CHAINS, HEADS), the last
    place of each context, + 1; `singles` (size) and `pairs` (PAIRS), counts of ids and of pairs.
    """

    def __init__(self, size: int) -> None:
        self.heads = np.zeros((CHAINS, HEADS), np.uint16)
        self.singles = np.zeros(size, np.uint16)
        self.pairs = np.zeros(PAIRS, np.uint16)
        self.ids = np.zeros(SMALLEST, np.uint16)
        self.entries = np.zeros(SMALLEST, ENTRY)

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
        arrays = (self.heads, self.singles, self.pairs, self.ids, self.entries)
        return sum(array.nbytes for array in arrays)

    def content(self) -> bytes:
        """All that it holds, without the room behind its ids."""
        by_place = self.ids[: self.length], self.entries[: self.length]
        return b"".join(a.tobytes() for a in (self.heads, self.singles, self.pairs, *by_place))

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
        more = capacity - self.capacity
        self.ids = np.concatenate([self.ids, np.zeros(more, np.uint16)])
        self.entries = np.concatenate([self.entries, np.zeros(more, ENTRY)])
