"""The surprise of each character of a text, by the probabilities that are served.

Where the runtime adapts, these are the mixed distributions, each with the page up to its character.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.adaptation import Adaptation, Cursor, Page, window_start
from model.decoding.next_step import predicted_distributions
from model.runtime import Pool
from model.served import Runtime

# At most this many texts are stepped in one batch. The states of more do not fit in the processor's
# cache, so that nothing is gained.
TEXTS_AT_ONCE = 64

# Called with the number of characters that were done since the last call.
Progress = Callable[[int], None]


def ignore(characters: int) -> None:
    """A progress that does nothing."""


@dataclass(frozen=True)
class Score:
    """A whole text's figures: a natural log-probability, bits, and the perplexity a character."""

    characters: int
    log_probability: float
    bits: float
    bits_per_character: float
    perplexity: float


@dataclass(frozen=True)
class Reading:
    """One text as the network read it.

    `bits` holds -log2 of each character's probability, shape (characters,). A character that is
    spelt in bytes has the sum of its bytes' bits. `snapshots` are states along the text: number k
    is the state after the first k * `every` characters.
    """

    bits: NDArray[np.float64]
    every: int
    snapshots: tuple[bytes, ...]

    def score(self) -> Score:
        """The text's figures. The text must not be empty."""
        characters, bits = len(self.bits), math.fsum(self.bits)
        return Score(
            characters, -bits * math.log(2), bits, bits / characters, 2 ** (bits / characters)
        )


def mean_bits(readings: Sequence[Reading]) -> float:
    """The bits a character over all texts together."""
    return float(np.concatenate([reading.bits for reading in readings]).mean())


@dataclass
class _Reader:
    """A text that is being read in one slot of the pool.

    The next id is part `part` of the spelling of character `character`.
    """

    order: int
    slot: int
    text: str
    spelling: list[tuple[int, ...]]
    page: Page | None
    bits: NDArray[np.float64]
    snapshots: list[bytes]
    character: int = 0
    part: int = 0

    def cursor(self, page: Page) -> Cursor:
        """The place of the next id. The page gets a character only when all its bytes are read."""
        if self.part == 0:
            page.follow(window(self.text, self.character))
        cursor = page.cursor()
        for index in self.spelling[self.character][: self.part]:
            cursor.push(index)
        return cursor


def window(text: str, position: int) -> str:
    """The part of the text before a position that a page reads."""
    return text[window_start(position) : position]


def read(
    runtime: Runtime, texts: Sequence[str], every: int = 0, progress: Progress = ignore
) -> list[Reading]:
    """Reads all texts side by side, each from its start.

    A state is kept after every `every` characters, and none where `every` is 0. Raises TextError
    for a text that UTF-8 cannot hold.
    """
    vocabulary = runtime.vocabulary
    pool = runtime.pool(min(TEXTS_AT_ONCE, max(1, len(texts))))
    spelled = [[vocabulary.spell(character) for character in text] for text in texts]
    # The longest texts are read first, so that none of them is read alone at the end.
    waiting = sorted(range(len(texts)), key=lambda order: len(spelled[order]))
    readers: list[_Reader] = []
    done: dict[int, Reading] = {}
    while waiting or readers:
        while waiting and len(readers) < TEXTS_AT_ONCE:
            order = waiting.pop()
            slot = pool.acquire()
            pool.start(slot)
            spelling = spelled[order]
            page = runtime.adaptation.page() if runtime.adaptation else None
            readers.append(
                _Reader(order, slot, texts[order], spelling, page, np.zeros(len(spelling)), [])
            )
        for reader in readers:
            if reader.part == 0 and every and reader.character % every == 0:
                reader.snapshots.append(pool.read(reader.slot))
        finished = [reader for reader in readers if reader.character == len(reader.spelling)]
        for reader in finished:
            pool.release(reader.slot)
            done[reader.order] = Reading(reader.bits, every, tuple(reader.snapshots))
            readers.remove(reader)
        if readers:
            progress(_step(pool, runtime.adaptation, readers))
    return [done[order] for order in range(len(texts))]


def _step(pool: Pool, adaptation: Adaptation | None, readers: list[_Reader]) -> int:
    """Reads one more id for each reader; returns the number of characters that are now complete."""
    slots = np.array([reader.slot for reader in readers], dtype=np.int32)
    ids = np.array([r.spelling[r.character][r.part] for r in readers], dtype=np.int32)
    cursors = [reader.cursor(reader.page) for reader in readers if reader.page is not None]
    p = predicted_distributions(pool, adaptation, slots, cursors)
    given = p[np.arange(len(readers)), ids].astype(np.float64)
    pool.step(slots, ids)
    completed = 0
    for reader, bits in zip(readers, -np.log2(given), strict=True):
        reader.bits[reader.character] += bits
        reader.part += 1
        if reader.part == len(reader.spelling[reader.character]):
            reader.part = 0
            reader.character += 1
            completed += 1
    return completed
