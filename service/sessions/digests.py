"""Digests of a text's beginnings: a chain over blocks, which can go on from any known link."""

from hashlib import blake2b

from model.text_form import Place

# How many characters (code points) a block of the chain has.
DIGEST_BLOCK = 1024
# How many bytes a digest has, and a link of the chain.
DIGEST_SIZE = 16
# The link before the first block.
FIRST_LINK = bytes(DIGEST_SIZE)


def _hash(purpose: bytes, before: bytes, text: str) -> bytes:
    return blake2b(before + text.encode(), digest_size=DIGEST_SIZE, person=purpose).digest()


class Digests:
    """The digests of a text's beginnings that end at `start` or later.

    Only the text from `start` on is given. The chain is D₀ = 0, Dₖ = hash(Dₖ₋₁, block k), where a
    block has DIGEST_BLOCK code points. `start` is a multiple of DIGEST_BLOCK, and `head` is the
    link there. The digest of text[:p] is the hash of the last link at or before p, followed by the
    text from there to p. Texts with equal digests count as equal (BLAKE2, RFC 7693).
    """

    def __init__(self, text: str, start: int = 0, head: bytes = FIRST_LINK) -> None:
        if start % DIGEST_BLOCK:
            raise ValueError(
                f"a chain can only begin at a multiple of {DIGEST_BLOCK}, not at {start}"
            )
        self._text = text
        self.start = start
        self._links = [head]
        for end in range(DIGEST_BLOCK, len(text) + 1, DIGEST_BLOCK):
            block = text[end - DIGEST_BLOCK : end]
            self._links.append(_hash(b"block", self._links[-1], block))

    @property
    def end(self) -> int:
        """How many characters the whole text has."""
        return self.start + len(self._text)

    def link(self, position: int) -> bytes:
        """The link at a multiple of DIGEST_BLOCK; another chain can begin there with it."""
        return self._links[(position - self.start) // DIGEST_BLOCK]

    @property
    def last(self) -> bytes:
        """The last link."""
        return self._links[-1]

    def at(self, position: int) -> bytes:
        """The digest of the text's first `position` characters; `position` is at least `start`."""
        block, rest = divmod(position - self.start, DIGEST_BLOCK)
        begin = block * DIGEST_BLOCK
        return _hash(b"text", self._links[block], self._text[begin : begin + rest])


def last_block(begin: Place, text: str, read: int) -> Place:
    """The last place a whole number of blocks after `begin`, up to which at most `read` is read.

    The `text` begins at `begin`. `read` counts the characters that the network reads, from the
    beginning of the whole text on.
    """
    # A client's character is read as one or as none, so this many blocks are never too many.
    at = max(0, read - begin.read) // DIGEST_BLOCK * DIGEST_BLOCK
    place = begin.after(text[:at])
    while at + DIGEST_BLOCK <= len(text):
        later = place.after(text[at : at + DIGEST_BLOCK])
        if later.read > read:
            break
        place, at = later, at + DIGEST_BLOCK
    return place
