"""Near-duplicates: documents most of whose lines are in other documents."""

from __future__ import annotations

from hashlib import blake2b

# Shorter lines do not count, because the same ones occur everywhere.
LEAST_LINE_CHARACTERS = 20

# A document is a near-duplicate where this share of its lines is in documents that are kept.
KNOWN_SHARE = 0.6

# A document is too close to the held-out texts where this share of its lines is in them. The share
# is lower than KNOWN_SHARE, because held-out text must be new to the network.
HELD_OUT_SHARE = 0.15


class Duplicates:
    """Remembers the lines of the documents that are kept, and of those that are held out."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._held_out: set[bytes] = set()
        self._texts: set[bytes] = set()
        self._headers: set[bytes] = set()

    def hold_out(self, text: str) -> None:
        """Holds a document out: no document that resembles it is admitted later."""
        self._held_out |= _lines(text)
        self._texts.add(_digest(text))

    def keep(self, text: str) -> None:
        """Remembers a document that is kept without a check."""
        self._known |= _lines(text)
        self._texts.add(_digest(text))

    def admits(self, text: str) -> bool:
        """Whether a document is new. A new document is remembered as kept."""
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
        """The text without its first comment, where another text began with the same comment.

        Such a comment is mostly a licence.
        """
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
    return {_digest(line) for line in stripped if len(line) >= LEAST_LINE_CHARACTERS}
