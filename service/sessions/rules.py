"""The rules of a session: what to compute for a change of its text, and what to keep of it.

They are pure: they use no input, output or clock. Given a record and a change, `plan` says which
text results, from which state to go on, and which characters to absorb; `settle` makes the new
record. A version is a part of the text's digest, so it names a text and not a moment. An edit that
names a version is only ever applied to the text that its sender meant, even if the session was
lost, expired, or overwritten in between.

Positions, lengths and digests are those of the client's characters. What is absorbed, and the
window, are in the form that training reads (model.text_form).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from model.adaptation import window_start
from model.text_form import START, Place
from service.errors import Resync
from service.sessions.digests import DIGEST_BLOCK, FIRST_LINK, Digests, last_block
from service.sessions.record import CHEAP_CHARACTERS, Record, Snapshot, thin

# A worker keeps at most this many snapshots of a session; a store gets as many of them as fit.
MOST_SNAPSHOTS = 8
# Someone who has gone back d characters often goes back a little further. If d is large, absorbing
# begins at least d / CHARACTERS_BACK_PER_REBUILT characters before the new end, where the text
# allows it. This makes new snapshots near the end. Without them the next backspace could cost about
# d steps.
CHARACTERS_BACK_PER_REBUILT = 8


@dataclass(frozen=True)
class WholeText:
    """A request that gives the whole text."""

    text: str


@dataclass(frozen=True)
class TextEdit:
    """A request that gives a change: keep the first `keep` characters of `version`, then append."""

    version: int
    keep: int
    append: str


Change = WholeText | TextEdit


@dataclass(frozen=True)
class Mark:
    """A position at which absorbing reads the state, and the digest of the text up to it."""

    position: int
    digest: bytes


@dataclass(frozen=True)
class Plan:
    """What to compute, and what the new record needs besides the states at `marks`.

    `absorb` is absorbed from the state of `start`, or from that of the empty text if `start` is
    None; `absorb_begin` is the place there. `marks` ascend, and the last one is the end of the
    text. There are none if nothing is absorbed. `kept` are the old snapshots that the new record
    may keep. The tail begins at the place `tail_begin`, and the text ends at the place `cursor`.
    """

    fingerprint: str
    version: int
    cursor: Place
    tail_begin: Place
    head: bytes
    tail: str
    start: Snapshot | None
    absorb_begin: Place
    absorb: str
    marks: tuple[Mark, ...]
    kept: tuple[Snapshot, ...]
    base_version: int
    base_keep: int

    @property
    def origin(self) -> bytes:
        """The digest of the text after which absorbing begins."""
        return self.start.digest if self.start else Digests("").at(0)

    @property
    def length(self) -> int:
        """How many characters the text has."""
        return self.cursor.position

    @property
    def window(self) -> str:
        """The end of the text, to which suggestions are adapted: from its `window_start` on."""
        read = self.tail_begin.form(self.tail)
        return read[window_start(self.cursor.read) - self.tail_begin.read :]

    @property
    def pieces(self) -> tuple[str, ...]:
        """What is read of the text to absorb, cut at the marks, without pieces that are empty."""
        return tuple(filter(None, self._pieces))

    @property
    def _pieces(self) -> Iterator[str]:
        """What is read before each mark, from the mark before it on."""
        place = self.absorb_begin
        cuts = [0, *(mark.position - place.position for mark in self.marks)]
        for a, b in pairwise(cuts):
            yield place.form(self.absorb[a:b])
            place = place.after(self.absorb[a:b])

    def snapshots(self, states: Iterable[bytes]) -> Iterator[Snapshot]:
        """The snapshots at the marks, given the state after each of `pieces`."""
        read = iter(states)
        state = self.start.state if self.start else None
        for mark, piece in zip(self.marks, self._pieces, strict=True):
            # After an empty piece, the state is the one before it.
            state = next(read) if piece else state
            if state is not None:
                yield Snapshot(mark.position, mark.digest, state)

    @property
    def end(self) -> bytes:
        """The digest of the whole text."""
        return self.marks[-1].digest if self.marks else self.origin


def plan(record: Record | None, change: Change, fingerprint: str, state_size: int) -> Plan:
    """What to compute for `change`, with a model of this fingerprint whose states have this size.

    Never fails for a WholeText. Raises Resync, with the record's version, if a TextEdit cannot be
    applied: the record is of another text, its tail or its snapshots do not reach back far enough,
    or the window of the resulting text would be incomplete.
    """
    if isinstance(change, WholeText):
        known, known_begin, head, same = change.text, START, FIRST_LINK, 0
    else:
        record = _record_of_edit(record, change)
        known = record.tail[: change.keep - record.begin.position] + change.append
        known_begin, head, same = record.begin, record.head, change.keep
    start = known_begin.position
    length = start + len(known)
    digests = Digests(known, start, head)
    version = version_of(digests.at(length))

    # States of other checkpoints are never used.
    usable = record.snapshots if record and record.fingerprint == fingerprint else ()
    kept = _kept(usable, digests, same, state_size)
    nearest = _start(kept, start, length, back=record.length - length if record else 0)
    if nearest is None and start > 0:
        assert record is not None
        raise Resync(
            "no state is kept near enough to go on from; send the whole text as prefix",
            record.version,
            "edit.keep",
        )

    begin = nearest.position if nearest else 0
    absorb_begin = known_begin.after(known[: begin - start])
    absorb = known[begin - start :]
    cursor = absorb_begin.after(absorb)
    if known_begin.read > window_start(cursor.read):
        assert record is not None
        raise Resync(
            f"the text is kept from character {start} on, which is too little to go on from; send "
            "the whole text as prefix",
            record.version,
            "edit.keep",
        )
    tail_begin = last_block(known_begin, known, read_before_tail(cursor.read))
    return Plan(
        fingerprint=fingerprint,
        version=version,
        cursor=cursor,
        tail_begin=tail_begin,
        head=digests.link(tail_begin.position),
        tail=known[tail_begin.position - start :],
        start=nearest,
        absorb_begin=absorb_begin,
        absorb=absorb,
        marks=tuple(Mark(p, digests.at(p)) for p in marks_between(begin, length)),
        kept=tuple(s for s in kept if s.position <= begin),
        base_version=change.version if isinstance(change, TextEdit) else version,
        base_keep=change.keep if isinstance(change, TextEdit) else length,
    )


def settle(plan: Plan, states: Sequence[bytes]) -> Record:
    """The record that a worker keeps, given the states at the plan's marks."""
    snapshots = [*plan.kept, *plan.snapshots(states)]
    snapshots.sort(key=lambda s: s.position, reverse=True)
    return Record(
        fingerprint=plan.fingerprint,
        version=plan.version,
        length=plan.length,
        begin=plan.tail_begin,
        head=plan.head,
        tail=plan.tail,
        snapshots=thin(snapshots, MOST_SNAPSHOTS),
        base_version=plan.base_version,
        base_keep=plan.base_keep,
    )


def version_of(digest: bytes) -> int:
    """The version of the text with this digest: 53 bits, which JSON readers keep exactly."""
    return int.from_bytes(digest[:7], "big") >> 3


def read_before_tail(read: int) -> int:
    """How many characters may be read before the tail in a worker's record, of the `read` in all.

    The tail holds the window of every beginning that is shorter by at most DIGEST_BLOCK characters.
    So the window is still complete after an edit that goes back that far.
    """
    return window_start(max(0, read - DIGEST_BLOCK))


def marks_between(begin: int, end: int) -> Iterable[int]:
    """The positions after `begin`, up to and including `end`, at which states are read, ascending.

    There are at most MOST_SNAPSHOTS. The i-th distance from the end, counted from 0, is
    CHEAP_CHARACTERS · (gⁱ − 1). The growth g is the one for which the distance number
    MOST_SNAPSHOTS would reach the empty text, but at least 2.
    """
    growth = max(2, (1 + end / CHEAP_CHARACTERS) ** (1 / MOST_SNAPSHOTS))
    distances = {round(CHEAP_CHARACTERS * (growth**i - 1)) for i in range(MOST_SNAPSHOTS)}
    return sorted(end - d for d in distances if end - d > begin)


def _record_of_edit(record: Record | None, edit: TextEdit) -> Record:
    """The record, if the edit can be applied to its text; else raises Resync."""
    if record is None:
        raise Resync("nothing is held of this session; send the whole text as prefix", None)
    # For each version that an edit may name: how many characters the record's text shares with it.
    common = {record.base_version: record.base_keep, record.version: record.length}
    if edit.version not in common:
        raise Resync(
            "the text held is of another version; send the whole text as prefix", record.version
        )
    if edit.keep > common[edit.version]:
        raise Resync(
            f"only {common[edit.version]} characters are held of that version, fewer than "
            f"{edit.keep}; send the whole text as prefix",
            record.version,
            "edit.keep",
        )
    if edit.keep < record.begin.position:
        raise Resync(
            f"the text is kept from character {record.begin.position} on, and {edit.keep} lies "
            "before it; send the whole text as prefix",
            record.version,
            "edit.keep",
        )
    return record


def _kept(
    snapshots: Sequence[Snapshot], digests: Digests, same: int, state_size: int
) -> tuple[Snapshot, ...]:
    """The snapshots, all of the same checkpoint, whose texts are beginnings of the new text.

    The first `same` characters of the text are the record's own. The size of the states is checked
    as well, because another program may have written the record.
    """
    return tuple(
        s
        for s in snapshots
        if len(s.state) == state_size and (s.position <= same or _is_beginning(s, digests))
    )


def _start(kept: Sequence[Snapshot], start: int, length: int, back: int) -> Snapshot | None:
    """The snapshot to absorb from, of those at `start` or later; None if there is none.

    `back` says how many characters shorter the text has become. Usually the newest snapshot is
    taken. After a long way back it is the newest one that leaves enough characters to absorb (see
    CHARACTERS_BACK_PER_REBUILT), or else the oldest.
    """
    reachable = [s for s in kept if s.position >= start]
    is_long = back > CHEAP_CHARACTERS * CHARACTERS_BACK_PER_REBUILT
    rebuilt = back // CHARACTERS_BACK_PER_REBUILT if is_long else 0
    older = (s for s in reachable if length - s.position >= rebuilt)
    return next(older, reachable[-1] if reachable else None)


def _is_beginning(snapshot: Snapshot, digests: Digests) -> bool:
    """Whether the snapshot's text is a beginning of the text that the digests are of."""
    return snapshot.position <= digests.end and digests.at(snapshot.position) == snapshot.digest
