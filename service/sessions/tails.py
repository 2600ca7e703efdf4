"""The kept end of a text, packed."""

import zlib


def pack(tail: str) -> bytes:
    """The text as bytes, compressed."""
    return zlib.compress(tail.encode(), level=6)


def fit(text: str, step: int, room: int) -> tuple[int, bytes]:
    """How many characters are left out for the rest to pack into `room` bytes, and it packed.

    They are missing at the beginning, a multiple of `step`, and none where all of it fits.
    """
    left_out = 0
    packed = pack(text)
    while len(packed) > room and left_out < len(text):
        excess = (len(text) - left_out) * (1 - room / len(packed))
        left_out += step * max(1, round(excess / step))
        packed = pack(text[left_out:])
    return left_out, packed


def unpack(data: bytes) -> str:
    """The text; raises zlib.error or UnicodeDecodeError for what `pack` did not make."""
    return zlib.decompress(data).decode()
