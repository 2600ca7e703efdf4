"""The ids that followed the same contexts before, in Python: what is known of each of them."""

from dataclasses import dataclass
from typing import Final

RECENT: Final = 32
MOST: Final = 32
"""No more candidates are taken at a place."""
SHORT_ORDER: Final = 2
LONG_ORDER: Final = 4
ORDERS: Final = (2, 3, 4, 5, 6, 8, 11, 16, 24)
"""Occurrences are counted by the order of context that they share; the first two by one chain."""
SHORT_LEVELS: Final = range(2)
LONG_LEVELS: Final = range(2, len(ORDERS))
NEWEST_LEVELS: Final = (0, 1, 2, 4)
REPEATS: Final = 4
GROUP_BEGINS: Final = (4, 6, 8, 12, 20)
"""Lengths of match from which the groups 1, 2, … begin, whose success is told apart."""


def group(match: int) -> int:
    """The group of a longest match."""
    return sum(match >= begin for begin in GROUP_BEGINS)


@dataclass
class PageCandidate:
    """One id: how often it came after each order of context or more, and after the other contexts.

    `longest` is its longest match and `longest_age` how far back that is; `age` how far back the
    first of its places was that was found.
    """

    number: int
    seen: list[int]
    repeats: list[int]
    longest: int = 0
    longest_age: int = 0
    age: int = 0

    def notice(self, match: int, age: int) -> None:
        """Takes note of one more place, `age` ids back."""
        self.age = self.age or age
        if match > self.longest:
            self.longest, self.longest_age = match, age


class PageCandidates:
    """All of a place, in the order in which they were found, and sums over their occurrences."""

    def __init__(self) -> None:
        self.each: list[PageCandidate] = []
        self.seen = [0] * len(ORDERS)
        self.repeats = [0] * REPEATS
        # For each level, the candidate that came last.
        self.newest: dict[int, PageCandidate] = {}
        self.best: PageCandidate | None = None
        self.match = 0

    def find(self, number: int) -> PageCandidate | None:
        """The candidate of an id that is there already."""
        return next((c for c in self.each if c.number == number), None)

    def admit(self, number: int) -> PageCandidate | None:
        """The candidate of an id, a new one where there is room."""
        found = self.find(number)
        if found is None and len(self.each) < MOST:
            found = PageCandidate(number, [0] * len(ORDERS), [0] * REPEATS)
            self.each.append(found)
        return found

    def occur(self, number: int, match: int, age: int, levels: range) -> None:
        """Counts a place at the end of a match, on those levels of its chain that it reaches."""
        candidate = self.admit(number)
        for level in levels:
            if match >= ORDERS[level]:
                self.seen[level] += 1
                if candidate is not None:
                    candidate.seen[level] += 1
                    self.newest.setdefault(level, candidate)
        if candidate is not None:
            candidate.notice(match, age)
            if levels == LONG_LEVELS and match > self.match:
                self.match, self.best = match, candidate

    def repeat(self, candidate: PageCandidate | None, kind: int) -> None:
        """Counts a place after one of the other contexts."""
        self.repeats[kind] += 1
        if candidate is not None:
            candidate.repeats[kind] += 1
