"""The kept end of a text, packed."""

import bz2
import zlib

# What zlib packs into more than this is worth another try, ten times as long.
LARGE = 6000


def pack(tail: str) -> bytes:
    """The text as bytes, compressed: the first one says how."""
    data = tail.encode()
    packed = b"z" + zlib.compress(data, level=6)
    return min(packed, b"b" + bz2.compress(data), key=len) if len(packed) > LARGE else packed


def unpack(data: bytes) -> str:
    """The text; raises ValueError, zlib.error or OSError for what `pack` did not make."""
    if data[:1] == b"z":
        return zlib.decompress(data[1:]).decode()
    if data[:1] == b"b":
        return bz2.decompress(data[1:]).decode()
    raise ValueError("bytes of no known compression")
