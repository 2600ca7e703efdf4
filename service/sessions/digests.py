"""Digests of a text's beginnings: a chain over fixed blocks, so that a long text's end is cheap."""

from hashlib import blake2b

BLOCK = 1024
DIGEST_SIZE = 16
EMPTY = bytes(DIGEST_SIZE)


def _hash(purpose: bytes, before: bytes, text: str) -> bytes:
    return blake2b(before + text.encode(), digest_size=DIGEST_SIZE, person=purpose).digest()


class Digests:
    """The digests of all beginnings of a text of which the part from `start` on is at hand.

    The chain is D₀ = 0, Dₖ = hash(Dₖ₋₁, block k), each block BLOCK code points; `head` is the link
    at `start`, a multiple of BLOCK. The digest of text[:p] hashes the last link before p and what
    is left of the text up to p. Two texts with one digest are one text (BLAKE2, RFC 7693).
    """

    def __init__(self, text: str, start: int = 0, head: bytes = EMPTY) -> None:
        if start % BLOCK:
            raise ValueError(f"a chain can only begin at a multiple of {BLOCK}, not at {start}")
        self._text = text
        self.start = start
        self._links = [head]
        for end in range(BLOCK, len(text) + 1, BLOCK):
            self._links.append(_hash(b"block", self._links[-1], text[end - BLOCK : end]))

    def link(self, position: int) -> bytes:
        """The link of the chain at a multiple of BLOCK, which a later chain can begin with."""
        return self._links[(position - self.start) // BLOCK]

    @property
    def last(self) -> bytes:
        """The link at the last multiple of BLOCK."""
        return self._links[-1]

    def at(self, position: int) -> bytes:
        """The digest of the text's first `position` characters, from `start` on."""
        block, rest = divmod(position - self.start, BLOCK)
        begin = block * BLOCK
        return _hash(b"text", self._links[block], self._text[begin : begin + rest])
