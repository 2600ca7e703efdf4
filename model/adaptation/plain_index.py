"""An index in Python, for machines where nothing was compiled: ADAPTATION.md step by step.

adapt.c is a second implementation, so tests that compare the two find mistakes in either.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from model.adaptation.candidates import (
    GROUPS,
    LONG_LEVELS,
    LONG_ORDER,
    RECENT,
    SHORT_LEVELS,
    SHORT_ORDER,
    PageCandidates,
    group,
)
from model.adaptation.index import CHAINS, HEADS, PAIRS, Ids, Index, Symbols
from model.hashing import AVALANCHE, EARLIER_WORD_FACTOR, MULTIPLIER

# Only this many places of a chain are looked at, the newest ones.
VISITS_MOST: Final = 20
# Only the outcomes of this many last places are counted.
OUTCOMES_COUNTED: Final = 256
# Columns from this one on count as the same one.
COLUMN_MOST: Final = 12
LONG, SHORT, WORD, WORDS, SKIP, ABOVE = range(CHAINS)

UINT32_MOST: Final = 2**32 - 1
(SHIFT_1, FACTOR_1), (SHIFT_2, FACTOR_2), (SHIFT_3, _) = AVALANCHE


def avalanche(x: int) -> int:
    """Makes each bit of a hash depend on all others."""
    # The loop is unrolled, because with a loop absorbing a text is 3 % slower.
    x = (x ^ x >> SHIFT_1) * FACTOR_1 & UINT32_MOST
    x = (x ^ x >> SHIFT_2) * FACTOR_2 & UINT32_MOST
    return x ^ x >> SHIFT_3


def hash_of(*numbers: int) -> int:
    """The hash of a few numbers."""
    x = 0
    for number in numbers:
        x = (x + number) * MULTIPLIER & UINT32_MOST
    return avalanche(x)


def hash_words(word: int, earlier: int, chain: int) -> int:
    """The hash of the word so far and an earlier word, given their own hashes."""
    return avalanche(word + earlier * EARLIER_WORD_FACTOR + chain & UINT32_MOST)


class Context:
    """What has been read up to some place: the last ids, and the words and lines that they make.

    `word`, `before` and `older` are the hashes of the word so far and of the two words before it.
    `letters` counts the ids of the word so far and the id before it, up to RECENT. `line` is the
    place where this line begins, `over` the place where the line before it begins, or −1.
    """

    def __init__(self) -> None:
        # Each id + 1, the newest first.
        self.recent = [0] * RECENT
        self.word = self.before = self.older = 0
        self.letters = 0
        self.inside = False
        self.place = self.line = 0
        self.over = -1

    def push(self, symbols: Symbols, number: int) -> None:
        """Reads one id."""
        inside = bool(symbols.letters[number])
        self.recent = [number + 1, *self.recent[:-1]]
        if self.inside and not inside:
            self.older, self.before = self.before, self.word
        self.word = ((self.word if inside else 0) + number + 1) * MULTIPLIER & UINT32_MOST
        self.letters = min(self.letters + 1, RECENT) if inside else 1
        self.inside = inside
        self.place += 1
        if number == symbols.newline:
            self.over, self.line = self.line, self.place


class PlainIndex(Index):
    """An index whose arrays Python works on."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols.size)
        self.symbols = symbols
        self.changes = 0
        self.end = Context()
        # Of the last OUTCOMES_COUNTED places, `tried` counts those of each group of the longest
        # match, and in its last counter those that had a place after the same two ids. `right`
        # counts those of them where the id that followed there came again.
        self.tried = [0] * (GROUPS + 1)
        self.right = [0] * (GROUPS + 1)
        self._length = 0

    @property
    def length(self) -> int:
        return self._length

    def absorb(self, ids: Ids) -> None:
        numbers = [self.symbols.check(number) for number in ids.tolist()]
        self.make_room(self._length + len(numbers))
        self.changes += 1
        for number in numbers:
            self._absorb(number)

    def truncate(self, length: int) -> None:
        context = self._reread(length)
        self.changes += 1
        for place in range(length, self._length):
            number = int(self.ids[place])
            heads, _ = self.locate(context)
            # The first place of a chain that is taken back links to the last one that stays.
            # Further places of the chain link to places that are taken back, beyond `length`.
            for chain, head in enumerate(heads):
                if self.entries["links"][place, chain] <= length:
                    self.heads[chain, head] = self.entries["links"][place, chain]
            self.singles[number] -= 1
            if context.recent[0]:
                self.pairs[self.pair(context.recent[0] - 1, number)] -= 1
            context.push(self.symbols, number)
        self._length = length
        self.end = self._reread(length)
        self.tried, self.right = [0] * (GROUPS + 1), [0] * (GROUPS + 1)
        for place in range(max(0, length - OUTCOMES_COUNTED), length):
            self._count_outcome(place, 1)

    @staticmethod
    def pair(first: int, second: int) -> int:
        """Where a pair of ids is counted."""
        return avalanche(first * MULTIPLIER + second & UINT32_MOST) % PAIRS

    def locate(self, context: Context) -> tuple[list[int], list[int]]:
        """Where the heads of the chains lie, and what tells contexts apart that share a head."""
        x = context.recent
        words = hash_words(context.word, context.before, WORDS)
        skip = hash_words(context.word, context.older, SKIP)
        column = min(context.place - context.line, COLUMN_MOST)
        above = hash_of(ABOVE, self._above(context), x[0], column)
        four, two = hash_of(x[3], x[2], x[1], x[0]), hash_of(0, 0, x[1], x[0])
        heads = [h % HEADS for h in (four, two, avalanche(context.word), words, skip, above)]
        return heads, [words >> 24, skip >> 24, above >> 24]

    def find(self, context: Context) -> PageCandidates:
        """The candidates at a context: what followed the same contexts before."""
        heads, checks = self.locate(context)
        found = PageCandidates()

        for place in self._matches(LONG, heads, context, LONG_ORDER):
            match = self._match(context, place, RECENT)
            found.occur(int(self.ids[place]), match, self._length - place, LONG_LEVELS)
        for place in self._matches(SHORT, heads, context, SHORT_ORDER):
            match = self._match(context, place, LONG_ORDER)
            found.occur(int(self.ids[place]), match, self._length - place, SHORT_LEVELS)
        if context.letters:
            for place in self._matches(WORD, heads, context, context.letters):
                found.repeat(found.admit(int(self.ids[place])), 0)
        for kind, chain in enumerate((WORDS, SKIP, ABOVE)):
            for place in self._places(chain, heads, self._checks(kind, checks)):
                number = int(self.ids[place])
                known = found.admit(number) if chain == WORDS else found.find(number)
                found.repeat(known, 1 + kind)
        return found

    def _matches(
        self, chain: int, heads: Sequence[int], context: Context, order: int
    ) -> Iterator[int]:
        """The places of a chain that stand after the context's newest `order` ids."""
        return self._places(chain, heads, lambda place: self._match(context, place, order) == order)

    def _checks(self, kind: int, checks: Sequence[int]) -> Callable[[int], bool]:
        return lambda place: bool(self.entries["checks"][place, kind] == checks[kind])

    def _places(
        self, chain: int, heads: Sequence[int], fits: Callable[[int], bool]
    ) -> Iterator[int]:
        """The places of a chain that fit, of the newest VISITS_MOST, the newest first."""
        place = int(self.heads[chain, heads[chain]]) - 1
        for _ in range(VISITS_MOST):
            if place < 0:
                return
            if fits(place):
                yield place
            place = int(self.entries["links"][place, chain]) - 1

    def _match(self, context: Context, place: int, most: int) -> int:
        """How many of the context's newest ids, up to `most`, stand before a place."""
        length = 0
        most = min(most, place)
        while length < most and self.ids[place - 1 - length] + 1 == context.recent[length]:
            length += 1
        return length

    def _above(self, context: Context) -> int:
        """The id + 1 above the place, in the line before; a line end where that line is shorter."""
        place = context.over + context.place - context.line
        if context.over < 0 or place >= context.line:
            return self.symbols.newline + 1
        return int(self.ids[place]) + 1 if place < self._length else 0

    def _absorb(self, number: int) -> None:
        place, context = self._length, self.end
        heads, self.entries["checks"][place] = self.locate(context)
        self.entries["outcome"][place] = self._outcome(context, heads, number)
        self._count_outcome(place, 1)
        if place >= OUTCOMES_COUNTED:
            self._count_outcome(place - OUTCOMES_COUNTED, -1)
        for chain, head in enumerate(heads):
            self.entries["links"][place, chain] = self.heads[chain, head]
            self.heads[chain, head] = place + 1
        self.singles[number] += 1
        if context.recent[0]:
            self.pairs[self.pair(context.recent[0] - 1, number)] += 1
        self.ids[place] = number
        self._length += 1
        context.push(self.symbols, number)

    def _outcome(self, context: Context, heads: Sequence[int], number: int) -> int:
        """What the index predicts before an id is read, and whether that is right, in bits.

        Bits 0 to 2: the group of the longest match; 3: whether the id after it was right. Bit 4:
        whether there is a place after the same two ids; 5: whether the newest such id was right.
        """
        longest, right, newest = 0, False, 0
        for place in self._matches(LONG, heads, context, LONG_ORDER):
            match = self._match(context, place, RECENT)
            if match > longest:
                longest, right = match, bool(self.ids[place] == number)
        for place in self._matches(SHORT, heads, context, SHORT_ORDER):
            newest = 1 | bool(self.ids[place] == number) << 1
            break
        return group(longest) | right << 3 | newest << 4

    def _count_outcome(self, place: int, by: int) -> None:
        outcome = int(self.entries["outcome"][place])
        self.tried[outcome & 7] += by
        self.right[outcome & 7] += (outcome >> 3 & 1) * by
        self.tried[GROUPS] += (outcome >> 4 & 1) * by
        self.right[GROUPS] += (outcome >> 5 & 1) * by

    def _reread(self, length: int) -> Context:
        """The context after the first `length` ids."""
        context = Context()
        for number in self.ids[:length].tolist():
            context.push(self.symbols, number)
        return context
