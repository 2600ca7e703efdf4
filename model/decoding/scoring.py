"""Scoring: how probable each character of a given text is, after all the text before it.

These are the probabilities that are served. Where the runtime adapts, they are the mixed ones, each
with the page up to its character.
"""

from collections.abc import Sequence

import numpy as np

from model.adaptation import Adaptation, Cursor, Page, window_start
from model.decoding.next_step import next_characters, predicted_distributions
from model.decoding.options import CharProbability
from model.runtime import Pool
from model.runtime.arithmetic import Floats
from model.served import Runtime


def window(text: str, position: int) -> str:
    """The part of the text before a position that a page reads."""
    return text[window_start(position) : position]


class TextReader:
    """A text that is read in one slot of a pool, from its start and id by id.

    The next id is part `part` of the spelling of character `character`.
    """

    def __init__(self, runtime: Runtime, pool: Pool, text: str) -> None:
        """Raises TextError for a character that the vocabulary cannot spell."""
        self.text = text
        self._spelling = [runtime.vocabulary.spell(character) for character in text]
        self._page: Page | None = runtime.adaptation.page() if runtime.adaptation else None
        self.slot = pool.acquire()
        pool.start(self.slot)
        self.character = self.part = 0

    @property
    def finished(self) -> bool:
        """Whether all of the text has been read."""
        return self.character == len(self._spelling)

    @property
    def next_id(self) -> int:
        """The id that is read next."""
        return self._spelling[self.character][self.part]

    @property
    def cursors(self) -> list[Cursor]:
        """The place of the next id on the page; none where there is no page.

        The page gets a character only when all its bytes are read.
        """
        if self._page is None:
            return []
        if self.part == 0:
            self._page.follow(window(self.text, self.character))
        cursor = self._page.cursor()
        for index in self._spelling[self.character][: self.part]:
            cursor.push(index)
        return [cursor]

    def advance(self) -> None:
        """Goes on to the id after the next one."""
        self.part += 1
        if self.part == len(self._spelling[self.character]):
            self.part = 0
            self.character += 1


def read_next(
    pool: Pool, adaptation: Adaptation | None, readers: Sequence[TextReader]
) -> tuple[list[int], Floats]:
    """Reads the next id of each reader.

    Returns these ids, and the distributions from which they came, (readers, vocabulary).
    """
    slots = np.array([reader.slot for reader in readers], dtype=np.int32)
    ids = [reader.next_id for reader in readers]
    cursors = [cursor for reader in readers for cursor in reader.cursors]
    distributions = predicted_distributions(pool, adaptation, slots, cursors)
    pool.step(slots, np.array(ids, dtype=np.int32))
    for reader in readers:
        reader.advance()
    return ids, distributions


class TextScoring:
    """The scoring of one text, which can be computed in parts.

    `chars` has the characters that were scored. The probability of one that is spelt in bytes is
    the product of those of its bytes.
    """

    def __init__(self, runtime: Runtime, text: str, top_each: int = 0) -> None:
        """With `top_each`, so many of the most probable characters are listed in each place.

        Raises TextError for a character that the vocabulary cannot spell.
        """
        self._vocabulary = runtime.vocabulary
        self._adaptation = runtime.adaptation
        self._pool = runtime.pool(1)
        self._reader = TextReader(runtime, self._pool, text)
        self._top_each = top_each
        self.chars: list[CharProbability] = []

    @property
    def finished(self) -> bool:
        """Whether all of the text has been scored."""
        return self._reader.finished

    def advance(self, characters: int) -> None:
        """Scores at most so many more characters."""
        reader = self._reader
        for character in reader.text[reader.character : reader.character + characters]:
            probability, top = 1.0, None
            while top is None or reader.part:
                (index,), (distribution,) = read_next(self._pool, self._adaptation, [reader])
                probability *= float(distribution[index])
                if top is None:
                    top = next_characters(self._vocabulary, distribution, self._top_each)
            self.chars.append(CharProbability(character, probability, top))
