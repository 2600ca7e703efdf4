"""Sampling: one id drawn from the next-character distribution, by temperature, top-k and top-p."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.vocabulary import Speller, Vocabulary

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Sampling:
    """How to draw. `temperature` 0 takes the most probable; `top_k` 0 and `top_p` 1 keep all.

    Raises ValueError, naming the field, for a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise ValueError(f"temperature: {self.temperature} is not between 0 and 100")
        if self.top_k < 0:
            raise ValueError(f"top_k: {self.top_k} is negative; 0 keeps every character")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p} is not above 0 and at most 1")


def draw(
    probabilities: NDArray[np.float32], sampling: Sampling, random: np.random.Generator
) -> int:
    """An index of `probabilities`, shape (ids,), which need not add up to one.

    Of equally probable ids the lowest comes first, so that a seed names one text. Top-p is the
    nucleus of Holtzman et al. (2020): the fewest ids whose probabilities reach that share.
    """
    order = np.argsort(-probabilities, kind="stable")
    if sampling.temperature == 0:
        return int(order[0])
    kept = probabilities[order].astype(np.float64)
    with np.errstate(divide="ignore"):
        logarithms = np.log(kept / kept[0]) / sampling.temperature
    weights = np.exp(logarithms)
    if sampling.top_k:
        weights = weights[: sampling.top_k]
    reached = np.cumsum(weights)
    if sampling.top_p < 1:
        reached = reached[: int(np.searchsorted(reached, sampling.top_p * reached[-1])) + 1]
    place = np.searchsorted(reached, random.random() * reached[-1], side="right")
    return int(order[min(int(place), len(reached) - 1)])


class Sampler:
    """Draws one text's ids in turn, and never bytes that make no character."""

    def __init__(
        self, vocabulary: Vocabulary, sampling: Sampling, random: np.random.Generator
    ) -> None:
        self._vocabulary = vocabulary
        self._sampling = sampling
        self._random = random
        self._pending: tuple[int, ...] = ()
        self._possible: dict[tuple[int, ...], NDArray[np.bool_]] = {}

    def draw(self, probabilities: NDArray[np.float32]) -> tuple[int, str]:
        """The id drawn, and the character it completes, or "" while bytes are missing."""
        if self._pending not in self._possible:
            spelled = [self._spell((*self._pending, i)) for i in range(self._vocabulary.size)]
            self._possible[self._pending] = np.array([text is not None for text in spelled])
        # Never zero, so that a byte that was never learnt still leaves something to draw.
        possible = np.maximum(probabilities, _TINY) * self._possible[self._pending]
        index = draw(possible, self._sampling, self._random)
        character = self._spell((*self._pending, index)) or ""
        self._pending = () if character else (*self._pending, index)
        return index, character

    def _spell(self, ids: Sequence[int]) -> str | None:
        speller = Speller(self._vocabulary)
        character: str | None = ""
        for index in ids:
            character = speller.push(index)
        return character
