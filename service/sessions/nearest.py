"""Sessions for clients that know none: a request goes on from the kept text nearest to its own.

A text is found again by the chain of digests of its blocks and, within a block, by comparing, so
that what is kept of a text is bounded. Names begin with "~", which no client's own session does.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from service.sessions.digests import BLOCK, EMPTY, Digests

# Who deletes so many characters at most still types; who goes back further may come again.
NEAR = 32
# How many texts that share the same blocks are compared, the latest ones.
COMPARED = 32

Owner = tuple[str, str]
"""A tenant, and the fingerprint of the model that is asked."""


@dataclass(frozen=True)
class Placement:
    """The session that a request's text is kept in, and the one whose record it goes on from."""

    session: str
    source: str


@dataclass
class _Text:
    """What is known of a session's text: its length, the digests of its blocks, and its end.

    `asked` numbers the request that it is of. `aside` is the session that this one branched off
    from, where that goes only a little further, and its `asked` then: while nobody asks for more
    of it, it is a guess that came to nothing.
    """

    owner: Owner
    length: int = 0
    links: tuple[bytes, ...] = ()
    tail: str = ""
    aside: tuple[str, int] | None = None
    asked: int = 0
    busy: bool = False

    @property
    def keys(self) -> set[tuple[Owner, bytes]]:
        """What the text is found by: the digests of its first blocks, one, two, and so on.

        Before the first of them it can be compared only while that lies in the tail.
        """
        first = (EMPTY,) if _tail_start(self.length) == 0 and self.length else ()
        return {(self.owner, link) for link in (*first, *self.links)}


class Nearest:
    """The texts of at most `most` sessions without a client's name; the least recent go first.

    No request takes the place of a running one here: where the nearest session has one, the
    newer request goes on from what is kept there, in a session of its own.
    """

    def __init__(self, most: int, forget: Callable[[str, str], None]) -> None:
        """`forget` is called with the tenant and the session of a text that is kept no more."""
        self._most = most
        self._forget = forget
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._found: dict[tuple[Owner, bytes], dict[str, None]] = {}
        self._asked = 0

    def __len__(self) -> int:
        return len(self._texts)

    @contextmanager
    def place(self, owner: Owner, text: str) -> Iterator[Placement]:
        """Where to keep a request's text while it is served; it is kept unless serving fails."""
        digests = Digests(text)
        near, common = self._nearest(owner, text, digests)
        kept = self._texts.get(near or "")
        if near and kept and _goes_on(kept, common, len(text)):
            session, aside = near, kept.aside
        else:
            session = "~" + secrets.token_urlsafe(16)
            aside = (near, kept.asked) if near and kept and kept.length - common <= BLOCK else None
            self._texts[session] = _Text(owner)
        self._texts[session].busy = True
        try:
            yield Placement(session, near or session)
        except BaseException:
            self._texts[session].busy = False
            if not self._texts[session].tail:
                del self._texts[session]
            raise
        if kept and session != near:
            self._drop_guess(kept)
        self._asked += 1
        self._keep(session, _described(owner, text, digests, aside, self._asked))

    def _nearest(self, owner: Owner, text: str, digests: Digests) -> tuple[str | None, int]:
        """The session whose text has the longest beginning in common with this one, and how long.

        Of several the one that goes on here, else one that is not busy, and of these the latest.
        """
        for block in range(len(text) // BLOCK, -1, -1):
            start = block * BLOCK
            sharing = self._found.get((owner, digests.link(start)), {})
            candidates = [
                (self._common(session, start, text), session)
                for session in islice(reversed(sharing), COMPARED)
            ]
            if candidates:
                common, session = max(candidates, key=lambda c: self._rank(c[0], c[1], len(text)))
                return (session, common) if common else (None, 0)
        return None, 0

    def _rank(self, common: int, session: str, length: int) -> tuple[int, bool, bool]:
        kept = self._texts[session]
        return common, _goes_on(kept, common, length), not kept.busy

    def _common(self, session: str, start: int, text: str) -> int:
        """How many characters the texts have in common, where they have the first `start`."""
        kept = self._texts[session]
        tail_start = kept.length - len(kept.tail)
        if tail_start > start:
            return start
        here = kept.tail[start - tail_start :][:BLOCK]
        return start + _shared(here, text[start : start + BLOCK])

    def _keep(self, session: str, text: _Text) -> None:
        self._index(session, self._texts[session].keys, text.keys)
        self._texts[session] = text
        self._texts.move_to_end(session)
        excess = len(self._texts) - self._most
        for old in [s for s, t in islice(self._texts.items(), max(0, excess)) if not t.busy]:
            self._drop(old)

    def _drop_guess(self, kept: _Text) -> None:
        """Lets go what the text branched off from, where nobody has asked for it since."""
        session, asked = kept.aside or ("", 0)
        guess = self._texts.get(session)
        if guess and guess.asked == asked and not guess.busy:
            self._drop(session)

    def _drop(self, session: str) -> None:
        dropped = self._texts.pop(session)
        self._index(session, dropped.keys, set())
        self._forget(dropped.owner[0], session)

    def _index(
        self, session: str, before: set[tuple[Owner, bytes]], now: set[tuple[Owner, bytes]]
    ) -> None:
        for key in before - now:
            del self._found[key][session]
            if not self._found[key]:
                del self._found[key]
        for key in now:
            sessions = self._found.setdefault(key, {})
            sessions.pop(session, None)
            sessions[session] = None


def _tail_start(length: int) -> int:
    """Where what is kept of a text begins: one to two blocks before its end."""
    return max(0, length // BLOCK - 1) * BLOCK


def _goes_on(kept: _Text, common: int, length: int) -> bool:
    """Whether a text of this length, with so much in common, is the kept one as it is typed on."""
    lost = kept.length - common
    return not kept.busy and (lost == 0 or (common == length and lost <= NEAR))


def _described(
    owner: Owner, text: str, digests: Digests, aside: tuple[str, int] | None, asked: int
) -> _Text:
    ends = range(BLOCK, len(text) + 1, BLOCK)
    links = tuple(digests.link(end) for end in ends)
    return _Text(owner, len(text), links, text[_tail_start(len(text)) :], aside, asked)


def _shared(one: str, other: str) -> int:
    """The length of the longest common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
