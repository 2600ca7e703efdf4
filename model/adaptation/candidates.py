"""The ids that followed the same contexts before, in Python, and what is known of each of them."""

from dataclasses import dataclass
from typing import Final

# How many of the last ids a context remembers, and so the longest match.
RECENT: Final = 32
# How many candidates a place has at most.
CANDIDATES_MOST: Final = 32
# The number of ids that the contexts of the short and of the long chain have in common at least.
SHORT_ORDER: Final = 2
LONG_ORDER: Final = 4
# An occurrence counts at the level of each order that its match reaches. The first two levels are
# those of the short chain, the others those of the long one.
ORDERS: Final = (2, 3, 4, 5, 6, 8, 11, 16, 24)
SHORT_LEVELS: Final = range(2)
LONG_LEVELS: Final = range(2, len(ORDERS))
# The levels, of orders 2, 3, 4 and 6, at which the candidate that came last is a feature.
NEWEST_LEVELS: Final = (0, 1, 2, 4)
# The contexts that are no orders: word, words, skip and above.
REPEATS: Final = 4
# The lengths of match at which the groups 1, 2, … begin; group 0 is no match. How often a longest
# match was right is counted for each group.
GROUP_BEGINS: Final = (4, 6, 8, 12, 20)
GROUPS: Final = len(GROUP_BEGINS) + 1


def group(match: int) -> int:
    """The group of a longest match."""
    return sum(match >= begin for begin in GROUP_BEGINS)


@dataclass
class PageCandidate:
    """One id, and how often it followed each of the contexts.

    `seen` counts its occurrences at each level, `repeats` those after the contexts that are no
    orders. `longest` is its longest match, and `longest_age` how many ids back that is. `age` is
    how many ids back its first place is, in the order in which places are found.
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
    """All candidates of a place, in the order in which they were found.

    `seen` and `repeats` count the occurrences of all ids together. `best` is the candidate that
    followed the longest match, and `match` the length of that one.
    """

    def __init__(self) -> None:
        self.each: list[PageCandidate] = []
        self.seen = [0] * len(ORDERS)
        self.repeats = [0] * REPEATS
        # For each level, the candidate that came last.
        self.newest: dict[int, PageCandidate] = {}
        self.best: PageCandidate | None = None
        self.match = 0

    def find(self, number: int) -> PageCandidate | None:
        """The candidate of an id, if it is one already."""
        return next((c for c in self.each if c.number == number), None)

    def admit(self, number: int) -> PageCandidate | None:
        """The candidate of an id, which becomes one if there is room."""
        found = self.find(number)
        if found is None and len(self.each) < CANDIDATES_MOST:
            found = PageCandidate(number, [0] * len(ORDERS), [0] * REPEATS)
            self.each.append(found)
        return found

    def occur(self, number: int, match: int, age: int, levels: range) -> None:
        """Counts an occurrence, at those levels of its chain that its match reaches."""
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
        """Counts an occurrence after a context that is no order."""
        self.repeats[kind] += 1
        if candidate is not None:
            candidate.repeats[kind] += 1
