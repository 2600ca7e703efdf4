"""The vocabulary: characters to ids and back, with UTF-8 bytes for characters without an id."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.errors import TextError

# The bytes that occur in UTF-8: all but 0xC0, 0xC1 and those above 0xF4 (RFC 3629).
UTF8_BYTES = (*range(0xC0), *range(0xC2, 0xF5))


class Vocabulary:
    """Ids for characters, then for single bytes, then for the start symbol.

    A character that is not in `characters` is spelt as its UTF-8 bytes. The byte of an ASCII
    character that is in `characters` has no id of its own, since it would never be used.

    `size` counts the ids that can be predicted. `start` is one more id, which is read but never
    predicted: it stands before the first character of a text, so that this character has a context.
    """

    def __init__(self, characters: str, byte_fallback: bool = True) -> None:
        if len(set(characters)) != len(characters):
            raise ValueError("a vocabulary lists each character once")
        self.characters = characters
        self.byte_fallback = byte_fallback
        known = set(characters)
        self._bytes: tuple[int, ...] = ()
        if byte_fallback:
            self._bytes = tuple(b for b in UTF8_BYTES if b >= 0x80 or chr(b) not in known)
        self.size = len(characters) + len(self._bytes)
        self.start = self.size

    @classmethod
    def learn(cls, texts: Iterable[str], minimum_count: int = 100) -> "Vocabulary":
        """The characters that occur at least `minimum_count` times in `texts`, in code order."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        frequent = (c for c, n in counts.items() if n >= minimum_count)
        return cls("".join(sorted(c for c in frequent if not "\ud800" <= c <= "\udfff")))

    @cached_property
    def _ids(self) -> dict[str, tuple[int, ...]]:
        return {c: (i,) for i, c in enumerate(self.characters)}

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        ids = {b: len(self.characters) + i for i, b in enumerate(self._bytes)}
        if self.byte_fallback:
            ids |= {ord(c): i for i, c in enumerate(self.characters) if ord(c) < 0x80}
        return ids

    @cached_property
    def word_ids(self) -> NDArray[np.bool_]:
        """Which ids belong to words, bool (size + 1): ASCII letters, digits, `_`, all beyond ASCII.

        Bytes follow the same rule. The start symbol belongs to no word.
        """
        codes = [*map(ord, self.characters), *self._bytes]
        inside = [c >= 0x80 or chr(c).isalnum() or chr(c) == "_" for c in codes]
        return np.array([*inside, False])

    def spell(self, character: str) -> tuple[int, ...]:
        """The ids of one character: its own id, or one for each of its UTF-8 bytes.

        Raises TextError for a lone surrogate. A vocabulary without byte fallback also raises it for
        a character that it does not have.
        """
        known = self._ids.get(character)
        if known is not None:
            return known
        try:
            encoded = character.encode()
        except UnicodeEncodeError:
            raise TextError(
                f"U+{ord(character):04X} is a lone surrogate, which no UTF-8 text can hold"
            ) from None
        if not self.byte_fallback:
            raise TextError(f"{character!r} is not in the vocabulary {self.characters!r}")
        return tuple(self._byte_ids[b] for b in encoded)

    def encode(self, text: str) -> NDArray[np.int32]:
        """The ids of a text, shape (ids,), without the start symbol. Raises TextError."""
        ids: list[int] = []
        known = self._ids
        for character in text:
            ids.extend(known.get(character) or self.spell(character))
        return np.array(ids, dtype=np.int32)

    def symbol(self, index: int) -> str | None:
        """The character of an id, or None where the id is a byte."""
        return self.characters[index] if index < len(self.characters) else None

    def byte(self, index: int) -> int | None:
        """The byte of an id, or None where the id is a character."""
        return self._bytes[index - len(self.characters)] if index >= len(self.characters) else None

    def decode(self, ids: Sequence[int] | NDArray[np.int32]) -> str:
        """The text that ids spell. Bytes that make no character are left out.

        An id of a character that comes while bytes are pending is left out with them.
        """
        speller = Speller(self)
        characters: list[str] = []
        for index in ids:
            character = speller.push(int(index))
            if character is None:
                speller = Speller(self)
            else:
                characters.append(character)
        return "".join(characters)


class Speller:
    """Joins predicted ids to characters, so that half a character is never shown."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._pending = b""

    @property
    def complete(self) -> bool:
        """Whether no byte is waiting for the rest of its character."""
        return not self._pending

    def push(self, index: int) -> str | None:
        """The character that an id completes; "" while bytes are missing.

        None if the id cannot follow the pending bytes; then a new Speller is needed.
        """
        byte = self._vocabulary.byte(index)
        if byte is None:
            return None if self._pending else self._vocabulary.symbol(index)
        self._pending += bytes((byte,))
        try:
            character = self._pending.decode()
        except UnicodeDecodeError as error:
            return "" if error.reason == "unexpected end of data" else None
        self._pending = b""
        return character
