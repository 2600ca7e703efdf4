"""The kept end of a text, packed."""

import zlib


def pack(tail: str) -> bytes:
    """The text as bytes, compressed."""
    return zlib.compress(tail.encode(), level=6)


def unpack(data: bytes) -> str:
    """The text; raises zlib.error or UnicodeDecodeError for what `pack` did not make."""
    return zlib.decompress(data).decode()
