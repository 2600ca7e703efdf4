"""Sampling: ids drawn from next-character distributions, by temperature, top-k, top-p and min-p.

The same distribution, seed, stream and position in the text give the same id on every machine. A
random number is one output of Philox (Salmon et al., 2011), whose counter is the position.
Everything else is + − × ÷ on binary64 in one written order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.decoding.options import BOUNDS, Options
from model.vocabulary import Speller, Vocabulary

# Replaces a probability of zero, so that a byte that never occurred in training can still be drawn
# where the bytes before it allow nothing else.
_TINY = np.finfo(np.float32).tiny

# ln m = 2 (t + t³/3 + t⁵/5 + …) with t = (m − 1) / (m + 1), and eˣ by its Taylor series.
_LOGARITHM = tuple(2 / k for k in range(21, 0, -2))
_EXPONENTIAL = tuple(1 / d for d in np.cumprod([1, 1, *range(2, 14)], dtype=float)[::-1].tolist())
_HALF_ROOT = 0.7071067811865476
_LN2 = 0.6931471805599453
# Near the smallest exponent of a normal binary64 number, e⁻⁷⁰⁸.
_LEAST_EXPONENT = -700.0


@dataclass(frozen=True)
class Sampling:
    """How to draw: `temperature` 0 takes the most probable id.

    `top_k` 0, `top_p` 1 and `min_p` 0 keep all ids. Raises ValueError, naming the field, for a
    value out of bounds.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        BOUNDS["temperature"].check("temperature", self.temperature)
        if self.top_k < BOUNDS["top_k"].least:
            raise ValueError(f"top_k: {self.top_k} is negative; 0 keeps every character")
        BOUNDS["top_p"].check("top_p", self.top_p)
        BOUNDS["min_p"].check("min_p", self.min_p)

    @classmethod
    def of(cls, options: Options) -> "Sampling":
        """How the options of a request say to draw."""
        return cls(options.temperature, options.top_k, options.top_p, options.min_p)


def random_at(seed: int, position: int, part: int = 0, stream: int = 0) -> np.random.Generator:
    """The random numbers for the `part`-th id of the character at `position` in a text.

    Alternatives at one position have different `stream`s. `seed` has 64 bits.
    """
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, part, position, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def draw(
    probabilities: NDArray[np.float32], sampling: Sampling, random: np.random.Generator
) -> int:
    """Draws an index of `probabilities`, shape (ids,), which need not add up to one.

    Top-k keeps the ids first, then the temperature is applied to their probabilities, then top-p
    and min-p each filter these, and only ids that pass both are drawn. Equally probable ids are
    ordered by index, so that a seed always gives the same text. Top-p keeps the nucleus of Holtzman
    et al. (2020): the fewest ids whose probabilities add up to that share. Min-p (Nguyen et al.,
    2024) keeps the ids whose probability is at least that share of the largest.
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
    rank = np.searchsorted(reached, random.random() * reached[-1], side="right")
    # The product can round up to the whole sum, which gives the rank behind the last one.
    return int(order[min(int(rank), len(reached) - 1)])


class Sampler:
    """Draws the ids of one text one after another, only bytes that can make a character."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        sampling: Sampling,
        seed: int,
        position: int = 0,
        stream: int = 0,
    ) -> None:
        """`position` is how many characters the text has before the first one that is drawn."""
        self._vocabulary = vocabulary
        self._sampling = sampling
        self._seed = seed
        self._position = position
        self._stream = stream
        self._pending: tuple[int, ...] = ()

    def draw(self, probabilities: NDArray[np.float32]) -> tuple[int, str]:
        """The id drawn, and the character it completes, or "" while bytes are missing."""
        possible = np.maximum(probabilities, _TINY) * _possible(self._vocabulary, self._pending)
        random = random_at(self._seed, self._position, len(self._pending), self._stream)
        index = draw(possible, self._sampling, random)
        character = _spell(self._vocabulary, (*self._pending, index)) or ""
        self._pending = () if character else (*self._pending, index)
        self._position += bool(character)
        return index, character


@lru_cache(256)
def _possible(vocabulary: Vocabulary, pending: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which ids may follow the `pending` first bytes of a character, shape (ids,)."""
    spelled = [_spell(vocabulary, (*pending, index)) for index in range(vocabulary.size)]
    return np.array([text is not None for text in spelled])


def _spell(vocabulary: Vocabulary, ids: tuple[int, ...]) -> str | None:
    speller = Speller(vocabulary)
    character: str | None = ""
    for index in ids:
        character = speller.push(index)
    return character


def _power(x: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """x^exponent for 0 ≤ x ≤ 1, with the same bits on every machine; 0 below e⁻⁷⁰⁰.

    A library's `pow` may round differently on another machine.
    """
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
    """A polynomial by Horner's rule; the coefficient of the highest power comes first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
