"""An index in Python, for machines where nothing was compiled: ADAPTATION.md step by step."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from model.adaptation.candidates import (
    LONG_LEVELS,
    LONG_ORDER,
    RECENT,
    SHORT_LEVELS,
    SHORT_ORDER,
    PageCandidates,
    group,
)
from model.adaptation.index import CHAINS, HEADS, PAIRS, Ids, Index, Symbols

VISITS: Final = 20
"""Places that are looked at, of those that share a hash with a context."""
SPAN: Final = 256
COLUMNS: Final = 12
GROUPS: Final = 6
LONG, SHORT, WORD, WORDS, SKIP, ABOVE = range(CHAINS)

WIDTH: Final = 2**32 - 1
MULTIPLIER: Final = 0x9E3779B1


def finish(x: int) -> int:
    """Mixes the bits of a 32-bit number, as MurmurHash3 does at its end."""
    x ^= x >> 15
    x = x * 0x85EBCA77 & WIDTH
    x ^= x >> 13
    x = x * 0xC2B2AE3D & WIDTH
    return x ^ x >> 16


def hash_of(*numbers: int) -> int:
    """The hash of a few numbers."""
    x = 0
    for number in numbers:
        x = (x + number) * MULTIPLIER & WIDTH
    return finish(x)


def hash_words(word: int, other: int, chain: int) -> int:
    """The hash of a word so far and another word's."""
    return finish(word + other * 0x165667B1 + chain & WIDTH)


class Context:
    """What has been read at some place: the last ids, the words and lines they make."""

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
        self.word = ((self.word if inside else 0) + number + 1) * MULTIPLIER & WIDTH
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
        # Of the last SPAN places, by group of match and for the newest after two ids.
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
            # The first place taken back of each chain knows the last one that stays.
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
        for place in range(max(0, length - SPAN), length):
            self._count_outcome(place, 1)

    @staticmethod
    def pair(first: int, second: int) -> int:
        """Where a pair of ids is counted."""
        return finish(first * MULTIPLIER + second & WIDTH) % PAIRS

    def locate(self, context: Context) -> tuple[list[int], list[int]]:
        """Where the heads of the chains lie, and what tells contexts apart that share one."""
        x = context.recent
        words = hash_words(context.word, context.before, WORDS)
        skip = hash_words(context.word, context.older, SKIP)
        column = min(context.place - context.line, COLUMNS)
        above = hash_of(ABOVE, self._above(context), x[0], column)
        four, two = hash_of(x[3], x[2], x[1], x[0]), hash_of(0, 0, x[1], x[0])
        heads = [h % HEADS for h in (four, two, finish(context.word), words, skip, above)]
        return heads, [words >> 24, skip >> 24, above >> 24]

    def find(self, context: Context) -> PageCandidates:
        """What followed the same contexts before."""
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
        """The places of a chain after the context's newest ids, so many of them."""
        return self._places(chain, heads, lambda place: self._match(context, place, order) == order)

    def _checks(self, kind: int, checks: Sequence[int]) -> Callable[[int], bool]:
        return lambda place: bool(self.entries["checks"][place, kind] == checks[kind])

    def _places(
        self, chain: int, heads: Sequence[int], fits: Callable[[int], bool]
    ) -> Iterator[int]:
        """The places of a chain that share its context, the newest first."""
        place = int(self.heads[chain, heads[chain]]) - 1
        for _ in range(VISITS):
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
        """The id + 1 in the line before, above the place; a line end where that is shorter."""
        place = context.over + context.place - context.line
        if context.over < 0 or place >= context.line:
            return self.symbols.newline + 1
        return int(self.ids[place]) + 1 if place < self._length else 0

    def _absorb(self, number: int) -> None:
        place, context = self._length, self.end
        heads, self.entries["checks"][place] = self.locate(context)
        self.entries["outcome"][place] = self._outcome(context, heads, number)
        self._count_outcome(place, 1)
        if place >= SPAN:
            self._count_outcome(place - SPAN, -1)
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
        """What would have been said of an id, in bits.

        Three for the group of the longest match, one whether that was right; one whether there was
        a newest place after two ids, one whether that was right.
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
