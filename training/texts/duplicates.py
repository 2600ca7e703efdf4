"""Near-duplicates: documents most of whose lines were read before."""

from __future__ import annotations

from hashlib import blake2b

LINE = 20
"""A line counts from so many characters on; shorter ones are alike everywhere."""

KNOWN_SHARE = 0.6
"""A document is a near-duplicate when this share of its lines was read before."""

HELD_OUT_SHARE = 0.15
"""And too near to the held-out texts when this share of its lines is in them."""


class Duplicates:
    """The lines of the documents that were kept, and of those that are held out."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._held_out: set[bytes] = set()
        self._texts: set[bytes] = set()
        self._headers: set[bytes] = set()

    def hold_out(self, text: str) -> None:
        """Nothing like this document may be kept."""
        self._held_out |= _lines(text)
        self._texts.add(_digest(text))

    def keep(self, text: str) -> None:
        """Keeps a document whatever it holds, and remembers its lines."""
        self._known |= _lines(text)
        self._texts.add(_digest(text))

    def admits(self, text: str) -> bool:
        """Whether a document says something new; if so it is remembered."""
        digest = _digest(text)
        if digest in self._texts:
            return False
        lines = _lines(text)
        if lines and len(lines & self._held_out) >= HELD_OUT_SHARE * len(lines):
            return False
        if lines and len(lines & self._known) >= KNOWN_SHARE * len(lines):
            return False
        self._known |= lines
        self._texts.add(digest)
        return True

    def without_header(self, text: str) -> str:
        """The text without the comment that it begins with, where that was read before."""
        lines = text.split("\n")
        end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        digest = _digest("\n".join(lines[:end]))
        if end and digest in self._headers:
            return "\n".join(lines[end:]).lstrip("\n")
        self._headers.add(digest)
        return text


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _lines(text: str) -> set[bytes]:
    stripped = {line.strip() for line in text.split("\n")}
    return {_digest(line) for line in stripped if len(line) >= LINE}
