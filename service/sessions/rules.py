"""The rules of a session, without input, output or clock: what to compute, and what to keep.

A record holds a text's length, the digests of its beginnings, its last characters, and the
network's state after some of its beginnings. Given a record and a request, `plan` says which text
results, from which state to go on and which characters to absorb; `settle` makes the new record.
A version is drawn from the text's digest, so it names the text itself: an edit that names a
version can only ever be applied to the very text that its sender meant, whatever was lost,
expired, restarted or overwritten in between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from model.adaptation import window_start
from service.errors import Resync
from service.sessions.digests import BLOCK, EMPTY, Digests
from service.sessions.tails import fit, pack

RECORD_LIMIT = 16_384
"""The bytes that a record may take, for any text, when a state takes up to STATE_LIMIT."""
STATE_LIMIT = 2_600

# What a record takes beside its tail and states: header, digests, positions (see record.py), and
# what sealing adds.
RECORD_OVERHEAD = 160
SNAPSHOT_OVERHEAD = 24
# A worker keeps so many; a store, as many of them as fit, though the end and two places to go back
# to however large a state is, of which one is given up where the text's window would not fit else.
MOST_SNAPSHOTS = 8
FEWEST_SNAPSHOTS = 3
FEWEST_WITH_WINDOW = 2
# Going back fewer characters than this costs so little that nearer snapshots are not worth room.
NEAR = 32
# Who goes back d characters soon goes back some more: where that is a long way, the states on the
# last d / MORE of it are made again, too, so that their own way back is not as long as d once more.
MORE = 8


@dataclass(frozen=True)
class Snapshot:
    """The network's state after the first `position` characters, whose digest is `digest`."""

    position: int
    digest: bytes
    state: bytes


@dataclass(frozen=True)
class Record:
    """All that is kept of a session. Snapshots stand newest first.

    `tail` is the text from `tail_start`, a multiple of BLOCK, to the end; `head` is the link of
    the chain of digests there. The first `base_keep` characters are those of the text of
    `base_version`, too: so a client's edits of that version, sent again or sent ahead of the
    answers, can still be applied. `packed` is the tail as bytes, of a record made for a store.
    """

    fingerprint: str
    version: int
    length: int
    tail_start: int
    head: bytes
    tail: str
    snapshots: tuple[Snapshot, ...]
    base_version: int
    base_keep: int
    packed: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class WholeText:
    """A request that gives the whole text."""

    text: str


@dataclass(frozen=True)
class TextEdit:
    """A request that gives a change: keep the first characters of a version, then append."""

    version: int
    keep: int
    append: str


Change = WholeText | TextEdit


@dataclass(frozen=True)
class Mark:
    """A position whose state is to be read on the way, and the digest of the text up to it."""

    position: int
    digest: bytes


@dataclass(frozen=True)
class Plan:
    """What to compute, and all that the new record needs beside the states at `marks`.

    Absorb `absorb` from the state of `start` (None: of the empty text). `marks` ascend; the last
    one is the text's end, and there are none where nothing is to be absorbed.
    """

    fingerprint: str
    version: int
    length: int
    tail_start: int
    head: bytes
    tail: str
    start: Snapshot | None
    absorb: str
    marks: tuple[Mark, ...]
    kept: tuple[Snapshot, ...]
    base_version: int
    base_keep: int

    @property
    def origin(self) -> bytes:
        """The digest of the text that absorbing begins from."""
        return self.start.digest if self.start else Digests("").at(0)

    @property
    def window(self) -> str:
        """The end of the text that bears on what is suggested: from its `window_start` on."""
        return self.tail[window_start(self.length) - self.tail_start :]

    @property
    def pieces(self) -> tuple[str, ...]:
        """What is to be absorbed, cut at the marks."""
        begin = self.start.position if self.start else 0
        cuts = [0, *(mark.position - begin for mark in self.marks)]
        return tuple(self.absorb[a:b] for a, b in pairwise(cuts))

    @property
    def end(self) -> bytes:
        """The digest of the whole text."""
        return self.marks[-1].digest if self.marks else self.origin


def plan(record: Record | None, change: Change, fingerprint: str, state_size: int) -> Plan:
    """What to compute for `change`, with states of `state_size` bytes made by `fingerprint`.

    A Prefix never fails. Raises Resync, with the version held, for an Edit of a text that is not
    held, or that goes back further than the record's tail and states reach, or so far that not all
    of the resulting text's window is held.
    """
    if isinstance(change, WholeText):
        known, start, head = change.text, 0, EMPTY
    else:
        record = _holding(record, change)
        known = record.tail[: change.keep - record.tail_start] + change.append
        start, head = record.tail_start, record.head
    digests = Digests(known, start, head)
    length = start + len(known)
    version = version_of(digests.at(length))
    if start > window_start(length):
        assert record is not None
        raise Resync(
            f"the text is kept from character {start} on, which is too little to go on from; send "
            "the whole text as prefix",
            record.version,
            "edit.keep",
        )

    kept = tuple(
        s
        for s in (record.snapshots if record and record.fingerprint == fingerprint else ())
        if len(s.state) == state_size and _agrees(s, digests, length)
    )
    nearest = _start(kept, start, length, back=record.length - length if record else 0)
    if nearest is None and start > 0:
        assert record is not None
        raise Resync(
            "no state is kept near enough to go on from; send the whole text as prefix",
            record.version,
            "edit.keep",
        )

    begin = nearest.position if nearest else 0
    tail_start = max(start, tail_start_of(length))
    return Plan(
        fingerprint=fingerprint,
        version=version,
        length=length,
        tail_start=tail_start,
        head=digests.link(tail_start),
        tail=known[tail_start - start :],
        start=nearest,
        absorb=known[begin - start :],
        marks=tuple(Mark(p, digests.at(p)) for p in marks_between(begin, length)),
        kept=tuple(s for s in kept if s.position <= begin),
        base_version=change.version if isinstance(change, TextEdit) else version,
        base_keep=change.keep if isinstance(change, TextEdit) else length,
    )


def settle(plan: Plan, states: Sequence[bytes]) -> Record:
    """The record that a worker keeps, given the states at the plan's marks."""
    read = [
        Snapshot(mark.position, mark.digest, state)
        for mark, state in zip(plan.marks, states, strict=True)
    ]
    snapshots = sorted((*plan.kept, *read), key=lambda s: s.position, reverse=True)
    return Record(
        fingerprint=plan.fingerprint,
        version=plan.version,
        length=plan.length,
        tail_start=plan.tail_start,
        head=plan.head,
        tail=plan.tail,
        snapshots=_thin(snapshots, MOST_SNAPSHOTS),
        base_version=plan.base_version,
        base_keep=plan.base_keep,
    )


def as_stored(record: Record) -> Record:
    """The record as a store keeps it: with what fits of its tail and its snapshots."""
    left_out, packed = _fitting(record)
    each = SNAPSHOT_OVERHEAD + (len(record.snapshots[0].state) if record.snapshots else 0)
    room = RECORD_LIMIT - RECORD_OVERHEAD - len(packed)
    return replace(
        record,
        tail_start=record.tail_start + left_out,
        head=Digests(record.tail[:left_out], record.tail_start, record.head).last,
        tail=record.tail[left_out:],
        snapshots=_thin(record.snapshots, max(FEWEST_WITH_WINDOW, room // each)),
        packed=packed,
    )


def version_of(digest: bytes) -> int:
    """The version that a text of this digest has: 53 bits, which every JSON reader keeps."""
    return int.from_bytes(digest[:7], "big") >> 3


def tail_start_of(length: int) -> int:
    """Where the kept tail of a text begins, if it packs well enough.

    It holds the windows of all texts that are up to a block shorter, so that an edit may go back
    over the edge of one.
    """
    return window_start(max(0, length - BLOCK))


def marks_between(begin: int, end: int) -> Iterable[int]:
    """Positions after `begin` up to `end`, ascending: as many as are kept of a whole text.

    Their distances from the end, counted from NEAR, grow by one factor, up to the empty text.
    """
    growth = max(2, (1 + end / NEAR) ** (1 / MOST_SNAPSHOTS))
    distances = {round(NEAR * (growth**i - 1)) for i in range(MOST_SNAPSHOTS)}
    return sorted(end - d for d in distances if end - d > begin)


def _fitting(record: Record) -> tuple[int, bytes]:
    """How many characters of the tail are left out, at its beginning, and the rest packed.

    None where all of it fits, else those before the text's window, else as many as must be: then
    an edit goes on only in a worker that keeps the session.
    """
    beside_two, beside_three = (
        RECORD_LIMIT - RECORD_OVERHEAD - count * (SNAPSHOT_OVERHEAD + STATE_LIMIT)
        for count in (FEWEST_WITH_WINDOW, FEWEST_SNAPSHOTS)
    )
    left_out, packed = 0, pack(record.tail)
    before_window = window_start(record.length) - record.tail_start
    if len(packed) > beside_three and before_window > 0:
        left_out, packed = before_window, pack(record.tail[before_window:])
    if len(packed) > beside_two:
        return fit(record.tail, BLOCK, beside_three)
    return left_out, packed


def _holding(record: Record | None, edit: TextEdit) -> Record:
    """The record, if the edit can be applied to its text; else raises Resync."""
    if record is None:
        raise Resync("nothing is held of this session; send the whole text as prefix", None)
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
    if edit.keep < record.tail_start:
        raise Resync(
            f"the text is kept from character {record.tail_start} on, and {edit.keep} lies before "
            "it; send the whole text as prefix",
            record.version,
            "edit.keep",
        )
    return record


def _start(kept: Sequence[Snapshot], start: int, length: int, back: int) -> Snapshot | None:
    """The newest snapshot to absorb from, of those that stand at `start` or later.

    After going a long way back, an older one where there is one: see MORE.
    """
    reachable = [s for s in kept if s.position >= start]
    beyond = back // MORE if back > NEAR * MORE else 0
    older = (s for s in reachable if length - s.position >= beyond)
    return next(older, reachable[-1] if reachable else None)


def _agrees(snapshot: Snapshot, digests: Digests, length: int) -> bool:
    """Whether the snapshot's text is a beginning of this one.

    Where the digests start later than the snapshot, the text before is that of the record, which
    the snapshot came with.
    """
    if snapshot.position < digests.start:
        return True
    return snapshot.position <= length and digests.at(snapshot.position) == snapshot.digest


def _thin(snapshots: Sequence[Snapshot], count: int) -> tuple[Snapshot, ...]:
    """At most `count` of the snapshots, newest first, at growing distances from the end.

    Again and again, the one goes whose neighbours' distances are closest in proportion, since
    going back d characters may cost as many steps as the next snapshot lies beyond d. The empty
    text counts as the last neighbour: its state is always at hand.
    """
    kept = list(snapshots)
    end = kept[0].position if kept else 0

    def proportion(i: int) -> float:
        older = kept[i + 1].position if i + 1 < len(kept) else 0
        return (end - older + NEAR) / (end - kept[i - 1].position + NEAR)

    while len(kept) > count:
        del kept[min(range(1, len(kept)), key=proportion)]
    return tuple(kept)
