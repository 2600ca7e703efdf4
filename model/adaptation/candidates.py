"""The candidates of a place in Python: ids that followed its contexts before, and their counts."""

from dataclasses import dataclass
from typing import Final

# How many of the last ids a context remembers. No match is longer.
RECENT: Final = 32
# The most candidates of a place.
CANDIDATES_MOST: Final = 32
# Two places have the same context in the short or the long chain if at least this many ids before
# them are the same.
SHORT_ORDER: Final = 2
LONG_ORDER: Final = 4
# Each level counts the occurrences whose match is at least as long as the level's order. The first
# two levels belong to the short chain, the others to the long one.
ORDERS: Final = (2, 3, 4, 5, 6, 8, 11, 16, 24)
SHORT_LEVELS: Final = range(2)
LONG_LEVELS: Final = range(2, len(ORDERS))
# The levels, of orders 2, 3, 4 and 6, at which the candidate that came last is a feature.
NEWEST_LEVELS: Final = (0, 1, 2, 4)
# The number of contexts that are not orders: word, words, skip and above.
REPEATS: Final = 4
# Matches are grouped by their length, to count for each group how often the longest match was
# right. These lengths begin the groups 1, 2, …; group 0 is no match.
GROUP_BEGINS: Final = (4, 6, 8, 12, 20)
GROUPS: Final = len(GROUP_BEGINS) + 1


def group(match: int) -> int:
    """The group of a match of this length."""
    return sum(match >= begin for begin in GROUP_BEGINS)


@dataclass
class PageCandidate:
    """One id, and how often it followed each of the contexts.

    `seen` counts its occurrences at each level, `repeats` those after the contexts that are not
    orders. `longest` is its longest match, and `longest_age` how many ids back that match ends.
    `age` is how many ids back the place is at which the candidate was found first.
    """

    number: int
    seen: list[int]
    repeats: list[int]
    longest: int = 0
    longest_age: int = 0
    age: int = 0

    def notice(self, match: int, age: int) -> None:
        """Takes note of one more place, `age` ids back, with a match of that length."""
        self.age = self.age or age
        if match > self.longest:
            self.longest, self.longest_age = match, age


class PageCandidates:
    """All candidates of a place, in the order in which they were found.

    `seen` and `repeats` count the occurrences of all ids together. `best` is the candidate after
    the longest match of the long chain, and `match` is the length of that match.
    """

    def __init__(self) -> None:
        self.each: list[PageCandidate] = []
        self.seen = [0] * len(ORDERS)
        self.repeats = [0] * REPEATS
        # For each level, the candidate of its newest occurrence.
        self.newest: dict[int, PageCandidate] = {}
        self.best: PageCandidate | None = None
        self.match = 0

    def find(self, number: int) -> PageCandidate | None:
        """The candidate of an id, or None where there is none yet."""
        return next((c for c in self.each if c.number == number), None)

    def admit(self, number: int) -> PageCandidate | None:
        """The candidate of an id, a new one if there is room, else None."""
        found = self.find(number)
        if found is None and len(self.each) < CANDIDATES_MOST:
            found = PageCandidate(number, [0] * len(ORDERS), [0] * REPEATS)
            self.each.append(found)
        return found

    def occur(self, number: int, match: int, age: int, levels: range) -> None:
        """Counts an occurrence at those `levels`, all of its chain's, that its match reaches."""
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
        """Counts an occurrence after a context that is not an order."""
        self.repeats[kind] += 1
        if candidate is not None:
            candidate.repeats[kind] += 1
