"""The surprise of each character of a text, by the probabilities that are served."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.adaptation import Adaptation
from model.decoding.scoring import TextReader, read_next
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
class _Text:
    """A text that is being read, and what was read of it."""

    order: int
    reader: TextReader
    bits: NDArray[np.float64]
    snapshots: list[bytes]


def read(
    runtime: Runtime, texts: Sequence[str], every: int = 0, progress: Progress = ignore
) -> list[Reading]:
    """Reads all texts side by side, each from its start.

    A state is kept after every `every` characters, and none where `every` is 0. Raises TextError
    for a text that UTF-8 cannot hold.
    """
    pool = runtime.pool(min(TEXTS_AT_ONCE, max(1, len(texts))))
    # The longest texts are read first, so that none of them is read alone at the end.
    waiting = sorted(range(len(texts)), key=lambda order: len(texts[order]))
    reading: list[_Text] = []
    done: dict[int, Reading] = {}
    while waiting or reading:
        while waiting and len(reading) < TEXTS_AT_ONCE:
            order = waiting.pop()
            reader = TextReader(runtime, pool, texts[order])
            reading.append(_Text(order, reader, np.zeros(len(texts[order])), []))
        for one in reading:
            if one.reader.part == 0 and every and one.reader.character % every == 0:
                one.snapshots.append(pool.read(one.reader.slot))
        finished = [one for one in reading if one.reader.finished]
        for one in finished:
            pool.release(one.reader.slot)
            done[one.order] = Reading(one.bits, every, tuple(one.snapshots))
            reading.remove(one)
        if reading:
            progress(_step(pool, runtime.adaptation, reading))
    return [done[order] for order in range(len(texts))]


def _step(pool: Pool, adaptation: Adaptation | None, reading: list[_Text]) -> int:
    """Reads one more id of each text; returns the number of characters that are now complete."""
    places = [one.reader.character for one in reading]
    ids, p = read_next(pool, adaptation, [one.reader for one in reading])
    given = p[np.arange(len(ids)), ids].astype(np.float64)
    for one, place, bits in zip(reading, places, -np.log2(given), strict=True):
        one.bits[place] += bits
    return sum(one.reader.part == 0 for one in reading)
