"""An index of texts for clients that name no session: a request goes on from the nearest text.

Each text is kept in a session whose name this module makes up. The name begins with "~", as no
client's name may. A text is found by the digests of its blocks, and compared character by character
within one block only. So the index holds a bounded part of each text.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from model.adaptation.page import common_length
from service.sessions.digests import DIGEST_BLOCK, FIRST_LINK, Digests

# Someone who deletes at most this many characters is still typing and will rarely undo it. Someone
# who goes back further may return, so the longer text is kept as well.
MOST_DELETED_WHILE_TYPING = 32
# At most this many of the texts that share the same blocks are compared: the latest ones.
MOST_COMPARED = 32

# A tenant, and the fingerprint of the model that answers.
Owner = tuple[str, str]


@dataclass(frozen=True)
class Placement:
    """The session that keeps a request's text, and the session whose record it starts from."""

    session: str
    source: str


@dataclass(frozen=True)
class _Branching:
    """The session that a text branched off from, and that session's last request at that time."""

    session: str
    request: int


@dataclass
class _KeptText:
    """A session's text: its length, the links of its digests, and the last one to two blocks.

    `request` is the number of the session's last request. `branching` is set if the session began
    as a branch of another text, and that text goes on for at most DIGEST_BLOCK characters after the
    common beginning (see TextIndex.place). `busy` means that a request of the session is running.
    """

    owner: Owner
    length: int = 0
    links: tuple[bytes, ...] = ()
    tail: str = ""
    branching: _Branching | None = None
    request: int = 0
    busy: bool = False

    @property
    def tail_start(self) -> int:
        """The position of the tail's first character."""
        return self.length - len(self.tail)

    @property
    def keys(self) -> set[tuple[Owner, bytes]]:
        """The keys that find the text: the digest of its first block, of its first two, and so on.

        FIRST_LINK is the key for no block at all. It finds texts that are held from their first
        character on, so that they can be compared from there.
        """
        first = (FIRST_LINK,) if self.length and self.tail_start == 0 else ()
        return {(self.owner, link) for link in (*first, *self.links)}

    def is_continued(self, common: int, length: int) -> bool:
        """Whether a request goes on typing this text, and not another one with the same beginning.

        The request's text has `length` characters, and shares the first `common` with this text.
        """
        lost = self.length - common
        deletes = common == length and lost <= MOST_DELETED_WHILE_TYPING
        return not self.busy and (lost == 0 or deletes)


class TextIndex:
    """The texts of at most `most` sessions; the least recently used are dropped first.

    A request never supersedes a running one here. If the nearest session is busy, the request
    starts from that session's record, in a new session.
    """

    def __init__(self, most: int, forget: Callable[[str, str], None]) -> None:
        """`forget` is called with the tenant and the session of each text that is dropped."""
        self._most = most
        self._forget = forget
        self._texts: OrderedDict[str, _KeptText] = OrderedDict()
        # The sessions of each key, latest last. A dictionary serves as an ordered set.
        self._found: dict[tuple[Owner, bytes], dict[str, None]] = {}
        self._requests = 0

    def __len__(self) -> int:
        return len(self._texts)

    @contextmanager
    def place(self, owner: Owner, text: str) -> Iterator[Placement]:
        """Gives the sessions for a request, which is served inside the `with` block.

        The request's text is kept when the block ends, unless it ends with an error.
        """
        digests = Digests(text)
        near, common = self._nearest(owner, text, digests)
        kept = self._texts.get(near)
        # A request that goes on typing the nearest text stays in that text's session. Any other
        # request gets a new session, which starts from the nearest record. The nearest text is not
        # changed: it may belong to another typist, or this typist may return to it.
        #
        # The nearest text may also be a guess. Some editors ask ahead for the text that would
        # result if a suggestion was accepted. Such a request goes on typing, so it takes over the
        # typist's session. The next typed key then becomes a branch that lacks a few characters of
        # the guess, and `branching` remembers where it came from. When the typist branches off
        # again, and nobody has asked for the guess since, `_drop_guess` drops it. Otherwise each
        # guess would leave a session behind.
        if kept and kept.is_continued(common, len(text)):
            session, branching = near, kept.branching
        else:
            session, branching = "~" + secrets.token_urlsafe(16), None
            if kept and kept.length - common <= DIGEST_BLOCK:
                branching = _Branching(near, kept.request)
            self._texts[session] = _KeptText(owner)
        self._texts[session].busy = True
        try:
            yield Placement(session, near or session)
        except BaseException:
            # The session keeps its earlier text. A session made for this request is removed.
            self._texts[session].busy = False
            if not self._texts[session].tail:
                del self._texts[session]
            raise
        if kept and session != near:
            self._drop_guess(kept.branching)
        self._requests += 1
        self._keep(session, _described(owner, text, digests, branching, self._requests))

    def _nearest(self, owner: Owner, text: str, digests: Digests) -> tuple[str, int]:
        """The session whose text has the longest common beginning with this one, and its length.

        The session is "" if no text has even the first character in common. If several texts share
        the longest beginning, one that this text continues is preferred, then one that is not busy,
        then the latest.
        """
        for block in range(len(text) // DIGEST_BLOCK, -1, -1):
            start = block * DIGEST_BLOCK
            sharing = self._found.get((owner, digests.link(start)), {})
            candidates = [
                (self._common(session, start, text), session)
                for session in islice(reversed(sharing), MOST_COMPARED)
            ]
            if candidates:
                # The latest text comes first, and max returns the first of equals.
                common, session = max(candidates, key=lambda c: self._rank(c[0], c[1], len(text)))
                return (session, common) if common else ("", 0)
        return "", 0

    def _rank(self, common: int, session: str, length: int) -> tuple[int, bool, bool]:
        kept = self._texts[session]
        return common, kept.is_continued(common, length), not kept.busy

    def _common(self, session: str, start: int, text: str) -> int:
        """How many characters the texts have in common, if they share the first `start`."""
        kept = self._texts[session]
        if kept.tail_start > start:
            # The text right after `start` is no longer held, so it cannot be compared.
            return start
        here = kept.tail[start - kept.tail_start :][:DIGEST_BLOCK]
        return start + common_length(here, text[start : start + DIGEST_BLOCK])

    def _keep(self, session: str, text: _KeptText) -> None:
        self._index(session, self._texts[session].keys, text.keys)
        self._texts[session] = text
        self._texts.move_to_end(session)
        excess = len(self._texts) - self._most
        for old in [s for s, t in islice(self._texts.items(), max(0, excess)) if not t.busy]:
            self._drop(old)

    def _drop_guess(self, branching: _Branching | None) -> None:
        """Drops the session that a text branched off from, if it has had no request since."""
        guess = self._texts.get(branching.session) if branching else None
        if branching and guess and guess.request == branching.request and not guess.busy:
            self._drop(branching.session)

    def _drop(self, session: str) -> None:
        dropped = self._texts.pop(session)
        self._index(session, dropped.keys, set())
        self._forget(dropped.owner[0], session)

    def _index(
        self, session: str, before: set[tuple[Owner, bytes]], now: set[tuple[Owner, bytes]]
    ) -> None:
        """Makes the keys of `now`, and only they, find the session, as the latest one."""
        for key in before - now:
            del self._found[key][session]
            if not self._found[key]:
                del self._found[key]
        for key in now:
            sessions = self._found.setdefault(key, {})
            sessions.pop(session, None)
            sessions[session] = None


def _described(
    owner: Owner, text: str, digests: Digests, branching: _Branching | None, request: int
) -> _KeptText:
    ends = range(DIGEST_BLOCK, len(text) + 1, DIGEST_BLOCK)
    links = tuple(digests.link(end) for end in ends)
    tail_start = max(0, len(text) // DIGEST_BLOCK - 1) * DIGEST_BLOCK
    return _KeptText(owner, len(text), links, text[tail_start:], branching, request)
