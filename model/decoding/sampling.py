"""Sampling: ids drawn from next-character distributions, by temperature, top-k, top-p and min-p.

What is drawn is a function of the distribution, of the seed and of the place in the text, on every
machine: a random number is one output of Philox (Salmon et al., 2011), whose counter is the place,
and everything else is + − × ÷ on binary64 in one written order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.vocabulary import Speller, Vocabulary

_TINY = np.finfo(np.float32).tiny

# ln m = 2 (t + t³/3 + t⁵/5 + …) with t = (m − 1) / (m + 1), and eˣ by its Taylor series.
_LOGARITHM = tuple(2 / k for k in range(21, 0, -2))
_EXPONENTIAL = tuple(1 / d for d in np.cumprod([1, 1, *range(2, 14)], dtype=float)[::-1].tolist())
_HALF_ROOT = 0.7071067811865476
_LN2 = 0.6931471805599453
_LEAST_EXPONENT = -700.0


@dataclass(frozen=True)
class Sampling:
    """How to draw. `temperature` 0 takes the most probable; `top_k` 0, `top_p` 1 and `min_p` 0
    keep all.

    Raises ValueError, naming the field, for a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise ValueError(f"temperature: {self.temperature} is not between 0 and 100")
        if self.top_k < 0:
            raise ValueError(f"top_k: {self.top_k} is negative; 0 keeps every character")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p} is not above 0 and at most 1")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p: {self.min_p} is not between 0 and 1")


def random_at(seed: int, position: int, part: int = 0, stream: int = 0) -> np.random.Generator:
    """The random numbers of a place: the `part`-th id of the character at `position` in a text.

    `stream` tells alternatives at one place apart. `seed` has 64 bits.
    """
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, part, position, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def draw(
    probabilities: NDArray[np.float32], sampling: Sampling, random: np.random.Generator
) -> int:
    """An index of `probabilities`, shape (ids,), which need not add up to one.

    The temperature comes first, then each filter by itself; an index is drawn that passes all. Of
    equally probable ids the lowest comes first, so that a seed names one text. Top-p is the nucleus
    of Holtzman et al. (2020): the fewest ids whose probabilities reach that share. Min-p (Nguyen et
    al., 2024) keeps what is at least that share as probable as the most probable one.
    """
    order = np.argsort(-probabilities, kind="stable")
    if sampling.temperature == 0:
        return int(order[0])
    if sampling.top_k:
        order = order[: sampling.top_k]
    kept = probabilities[order].astype(np.float64)
    weights = kept / kept[0]
    if sampling.temperature != 1:
        weights = _power(weights, 1 / sampling.temperature)
    reached = np.cumsum(weights)
    most = len(reached)
    if sampling.top_p < 1:
        most = int(np.searchsorted(reached, sampling.top_p * reached[-1])) + 1
    if sampling.min_p:
        most = min(most, int(np.count_nonzero(weights >= sampling.min_p)))
    reached = reached[:most]
    place = np.searchsorted(reached, random.random() * reached[-1], side="right")
    return int(order[min(int(place), len(reached) - 1)])


class Sampler:
    """Draws one text's ids in turn, and never bytes that make no character."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        sampling: Sampling,
        seed: int,
        position: int = 0,
        stream: int = 0,
    ) -> None:
        """`position` counts the characters before the first one that is drawn."""
        self._vocabulary = vocabulary
        self._sampling = sampling
        self._seed = seed
        self._position = position
        self._stream = stream
        self._pending: tuple[int, ...] = ()

    def draw(self, probabilities: NDArray[np.float32]) -> tuple[int, str]:
        """The id drawn, and the character it completes, or "" while bytes are missing."""
        # Never zero, so that a byte that was never learnt still leaves something to draw.
        possible = np.maximum(probabilities, _TINY) * _possible(self._vocabulary, self._pending)
        random = random_at(self._seed, self._position, len(self._pending), self._stream)
        index = draw(possible, self._sampling, random)
        character = _spell(self._vocabulary, (*self._pending, index)) or ""
        self._pending = () if character else (*self._pending, index)
        self._position += bool(character)
        return index, character


@lru_cache(256)
def _possible(vocabulary: Vocabulary, pending: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which ids may follow the first bytes of a character."""
    spelled = [_spell(vocabulary, (*pending, index)) for index in range(vocabulary.size)]
    return np.array([text is not None for text in spelled])


def _spell(vocabulary: Vocabulary, ids: tuple[int, ...]) -> str | None:
    speller = Speller(vocabulary)
    character: str | None = ""
    for index in ids:
        character = speller.push(index)
    return character


def _power(x: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """x^exponent for 0 ≤ x ≤ 1, with the same bits wherever binary64 is; below e⁻⁷⁰⁰ it is 0."""
    mantissa, two = np.frexp(x)
    small = mantissa < _HALF_ROOT
    mantissa = np.where(small, 2 * mantissa, mantissa)
    two = two - small
    t = (mantissa - 1) / (mantissa + 1)
    y = (two * _LN2 + t * _polynomial(_LOGARITHM, t * t)) * exponent
    whole = np.rint(np.maximum(y, _LEAST_EXPONENT) / _LN2)
    e = np.ldexp(_polynomial(_EXPONENTIAL, y - whole * _LN2), whole.astype(np.int32))
    return np.where((x == 0) | (y < _LEAST_EXPONENT), 0.0, e)


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """By Horner's rule, the highest power's coefficient first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
