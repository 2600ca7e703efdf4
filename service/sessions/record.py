"""The record of a session: what is kept, its form as bytes, and how much of it a store gets.

The bytes, big endian, are the version of the text (which is the token that stores compare), MAGIC,
the number of the format, a BLAKE2 checksum of the version and the body, and then the body: the
fields, the packed tail, and the snapshots.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from model.adaptation import window_start
from model.text_form import LINE_ENDS, Place
from service.sessions.digests import DIGEST_BLOCK, DIGEST_SIZE, Digests, last_block
from service.sessions.sealing import SEAL_OVERHEAD
from service.stores.tokens import token_of

MAGIC = b"nextchar"
FORMAT = 4
CHECKSUM_SIZE = 8

_ENVELOPE = struct.Struct(f">Q8sB{CHECKSUM_SIZE}s")
_FIELDS = struct.Struct(f">B32sIIIB{DIGEST_SIZE}sQIIBI")
_SNAPSHOT = struct.Struct(f">I{DIGEST_SIZE}s")

# A stored record takes at most RECORD_LIMIT bytes, even when it is sealed and whatever its text is.
# This holds for states of at most STATE_LIMIT bytes.
RECORD_LIMIT = 16_384
STATE_LIMIT = 2_600
# The overheads are the bytes of a stored record without its tail and snapshots, and the bytes of a
# snapshot without its state. They decide which snapshots fit. The spare bytes are reserved for new
# fields: a new field is subtracted from them, so that the same snapshots fit as before.
SPARE_RECORD_BYTES = 4
SPARE_SNAPSHOT_BYTES = 4
RECORD_OVERHEAD = _ENVELOPE.size + _FIELDS.size + SEAL_OVERHEAD + SPARE_RECORD_BYTES
SNAPSHOT_OVERHEAD = _SNAPSHOT.size + SPARE_SNAPSHOT_BYTES

# A stored record has room for at least this many snapshots: the one at the end of the text, and two
# to go back to. It gives up one of these two if the text's window needs the room.
FEWEST_SNAPSHOTS = 3
FEWEST_SNAPSHOTS_BESIDE_WINDOW = 2
# Absorbing this many characters again is cheap. So snapshots need not be closer than this to the
# end of the text, or to each other near the end.
CHEAP_CHARACTERS = 32


@dataclass(frozen=True)
class Snapshot:
    """The network's state after the first `position` characters, whose digest is `digest`."""

    position: int
    digest: bytes
    state: bytes


@dataclass(frozen=True)
class Record:
    """What is kept of a session. The snapshots are ordered newest first.

    `tail` is the client's text from the place `begin` to the end. The place is at a multiple of
    DIGEST_BLOCK, and `head` is the link of the chain of digests there. The text shares its first
    `base_keep` characters with the text of `base_version`. So a client's edit of that version can
    still be applied if it is sent again, or was sent before the last answer arrived. `packed` is
    the packed tail if the record was made for a store, else empty.
    """

    fingerprint: str
    version: int
    length: int
    begin: Place
    head: bytes
    tail: str
    snapshots: tuple[Snapshot, ...]
    base_version: int
    base_keep: int
    packed: bytes = field(default=b"", compare=False, repr=False)

    @property
    def tail_start(self) -> int:
        """The position of the tail's first character."""
        return self.begin.position


def encode(record: Record) -> bytes:
    """The record as bytes."""
    packed = record.packed or pack(record.tail)
    state_size = len(record.snapshots[0].state) if record.snapshots else 0
    fingerprint = bytes.fromhex(record.fingerprint)
    body = b"".join(
        (
            _FIELDS.pack(
                len(fingerprint),
                fingerprint,
                record.length,
                record.begin.position,
                record.begin.read,
                LINE_ENDS.index(record.begin.line_end) * 2 + record.begin.after_return,
                record.head,
                record.base_version,
                record.base_keep,
                len(packed),
                len(record.snapshots),
                state_size,
            ),
            packed,
            *(_SNAPSHOT.pack(s.position, s.digest) + s.state for s in record.snapshots),
        )
    )
    return _ENVELOPE.pack(record.version, MAGIC, FORMAT, _checksum(record.version, body)) + body


def decode(data: bytes) -> Record | None:
    """The record, or None if the bytes are damaged, foreign, or of another format."""
    try:
        return _decode(data)
    except (struct.error, zlib.error, ValueError, IndexError):
        return None


def as_stored(record: Record) -> Record:
    """The record as a store keeps it: with as much of its tail and as many snapshots as fit."""
    left_out, packed = _fit_record(record)
    each = SNAPSHOT_OVERHEAD + (len(record.snapshots[0].state) if record.snapshots else 0)
    room = RECORD_LIMIT - RECORD_OVERHEAD - len(packed)
    return replace(
        record,
        begin=record.begin.after(record.tail[:left_out]),
        head=Digests(record.tail[:left_out], record.tail_start, record.head).last,
        tail=record.tail[left_out:],
        snapshots=thin(record.snapshots, max(FEWEST_SNAPSHOTS_BESIDE_WINDOW, room // each)),
        packed=packed,
    )


def thin(snapshots: Sequence[Snapshot], count: int) -> tuple[Snapshot, ...]:
    """At most `count` of the snapshots, newest first, at growing distances from the text's end.

    After going back d characters, the text is absorbed again from the next older snapshot. So the
    distance of that snapshot from the end should exceed d by a small factor only. Snapshots are
    dropped one by one: always the one whose two neighbours have the smallest ratio of distances
    from the end. The newest is never dropped. The empty text counts as the oldest neighbour,
    because its state is always known.
    """
    kept = list(snapshots)
    end = kept[0].position if kept else 0

    def ratio(i: int) -> float:
        older = kept[i + 1].position if i + 1 < len(kept) else 0
        return (end - older + CHEAP_CHARACTERS) / (end - kept[i - 1].position + CHEAP_CHARACTERS)

    while len(kept) > count:
        del kept[min(range(1, len(kept)), key=ratio)]
    return tuple(kept)


def pack(tail: str) -> bytes:
    """The text as compressed bytes."""
    return zlib.compress(tail.encode(), level=6)


def unpack(data: bytes) -> str:
    """The text; raises zlib.error or UnicodeDecodeError for bytes that `pack` did not make."""
    return zlib.decompress(data).decode()


def fit(text: str, step: int, room: int) -> tuple[int, bytes]:
    """The end of a text that packs into `room` bytes: how many characters are left out, and it.

    The characters are left out at the beginning. Their number is a multiple of `step`, and 0 if the
    whole text fits.
    """
    left_out = 0
    packed = pack(text)
    while len(packed) > room and left_out < len(text):
        excess = (len(text) - left_out) * (1 - room / len(packed))
        left_out += step * max(1, round(excess / step))
        packed = pack(text[left_out:])
    return left_out, packed


def _fit_record(record: Record) -> tuple[int, bytes]:
    """How many characters of the tail a store does not get, and the rest of the tail packed.

    The store gets the first of these that fits: the whole tail beside FEWEST_SNAPSHOTS, the text's
    window beside FEWEST_SNAPSHOTS_BESIDE_WINDOW, or a part of the window beside FEWEST_SNAPSHOTS.
    In the last case only a worker that keeps the whole record can apply an edit.
    """
    beside_window, beside_tail = (
        RECORD_LIMIT - RECORD_OVERHEAD - count * (SNAPSHOT_OVERHEAD + STATE_LIMIT)
        for count in (FEWEST_SNAPSHOTS_BESIDE_WINDOW, FEWEST_SNAPSHOTS)
    )
    left_out, packed = 0, pack(record.tail)
    if len(packed) > beside_tail:
        read = record.begin.after(record.tail).read
        before_window = last_block(record.begin, record.tail, window_start(read)).position
        left_out = before_window - record.tail_start
        packed = pack(record.tail[left_out:]) if left_out else packed
    if len(packed) > beside_window:
        return fit(record.tail, DIGEST_BLOCK, beside_tail)
    return left_out, packed


def _decode(data: bytes) -> Record | None:
    version, magic, form, checksum = _ENVELOPE.unpack_from(data)
    body = data[_ENVELOPE.size :]
    if (magic, form) != (MAGIC, FORMAT) or checksum != _checksum(version, body):
        return None
    fingerprint_size, fingerprint, length, *kept = _FIELDS.unpack_from(body)
    tail_start, read, ending, head, base_version, base_keep, tail_size, count, state_size = kept
    begin = Place(tail_start, read, bool(ending % 2), LINE_ENDS[ending // 2])
    at = _FIELDS.size
    tail = unpack(body[at : at + tail_size])
    at += tail_size
    snapshots = []
    for _ in range(count):
        position, digest = _SNAPSHOT.unpack_from(body, at)
        at += _SNAPSHOT.size
        snapshots.append(Snapshot(position, digest, body[at : at + state_size]))
        at += state_size
    if at != len(body) or tail_start % DIGEST_BLOCK or tail_start + len(tail) != length:
        return None
    return Record(
        fingerprint=fingerprint[:fingerprint_size].hex(),
        version=version,
        length=length,
        begin=begin,
        head=head,
        tail=tail,
        snapshots=tuple(snapshots),
        base_version=base_version,
        base_keep=base_keep,
    )


def _checksum(version: int, body: bytes) -> bytes:
    return blake2b(token_of(version) + body, digest_size=CHECKSUM_SIZE, person=b"record").digest()
