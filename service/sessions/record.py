"""A session's record as bytes and back: one binary format, versioned and checked.

Layout, big endian: the version of the text (8 bytes, so that a store can compare it without
reading on), MAGIC, the format's number, a BLAKE2 checksum of everything else, then the fields.
"""

import struct
import zlib
from hashlib import blake2b

from service.sessions.digests import BLOCK, DIGEST_SIZE
from service.sessions.rules import Record, Snapshot
from service.sessions.tails import pack, unpack
from service.stores.tokens import token_of

MAGIC = b"nextchar"
FORMAT = 3
CHECKSUM_SIZE = 8

_ENVELOPE = struct.Struct(f">Q8sB{CHECKSUM_SIZE}s")
_FIELDS = struct.Struct(f">B32sII{DIGEST_SIZE}sQIIBI")
_SNAPSHOT = struct.Struct(f">I{DIGEST_SIZE}s")


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
                record.tail_start,
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
    """The record, or None where the bytes are damaged, foreign, or of another format."""
    try:
        return _decode(data)
    except (struct.error, zlib.error, UnicodeDecodeError, ValueError):
        return None


def _decode(data: bytes) -> Record | None:
    version, magic, form, checksum = _ENVELOPE.unpack_from(data)
    body = data[_ENVELOPE.size :]
    if (magic, form) != (MAGIC, FORMAT) or checksum != _checksum(version, body):
        return None
    (fingerprint_size, fingerprint, length, tail_start, head, base_version, base_keep, *sizes) = (
        _FIELDS.unpack_from(body)
    )
    tail_size, count, state_size = sizes
    at = _FIELDS.size
    tail = unpack(body[at : at + tail_size])
    at += tail_size
    snapshots = []
    for _ in range(count):
        position, digest = _SNAPSHOT.unpack_from(body, at)
        at += _SNAPSHOT.size
        snapshots.append(Snapshot(position, digest, body[at : at + state_size]))
        at += state_size
    if at != len(body) or tail_start % BLOCK or tail_start + len(tail) != length:
        return None
    return Record(
        fingerprint=fingerprint[:fingerprint_size].hex(),
        version=version,
        length=length,
        tail_start=tail_start,
        head=head,
        tail=tail,
        snapshots=tuple(snapshots),
        base_version=base_version,
        base_keep=base_keep,
    )


def _checksum(version: int, body: bytes) -> bytes:
    return blake2b(token_of(version) + body, digest_size=CHECKSUM_SIZE, person=b"record").digest()
