"""The levels that numbers are rounded to, where few bits are to tell of each.

Lloyd, "Least squares quantization in PCM", 1982: each number goes to the nearest level, each level
to the mean of its numbers, over and over.
"""

import numpy as np
from numpy.typing import NDArray

from model.network.contexts import LEVELS, ZERO

ROUNDS = 40

Floats = NDArray[np.float64]


def fit_levels(numbers: NDArray[np.float32], weights: NDArray[np.float32]) -> Floats:
    """The levels, ascending, with about the least weighted square of error; that of ZERO is 0.

    `weights` are broadcast to the numbers' shape; numbers without weight count for nothing.
    """
    w = np.broadcast_to(weights, numbers.shape)
    x, w = numbers[w > 0].astype(np.float64), w[w > 0]
    tried = [_lloyd(x, w, start) for start in _starts(x)]
    return min(tried, key=lambda levels: float(w @ np.square(x - levels[nearest(x, levels)])))


def _lloyd(x: Floats, w: NDArray[np.float32], levels: Floats) -> Floats:
    for _ in range(ROUNDS):
        codes = nearest(x, levels)
        sums = np.bincount(codes, w, LEVELS)
        means = np.bincount(codes, w * x, LEVELS) / np.where(sums > 0, sums, 1)
        levels = np.where(sums > 0, means, levels)
        levels[ZERO] = 0
    return levels


def _starts(x: Floats) -> tuple[Floats, Floats]:
    """Levels to begin with: one for as many numbers as the next; ever further from each other."""
    steps = np.arange(-ZERO, LEVELS - ZERO)
    below, above = np.append(x[x < 0], 0), np.append(x[x > 0], 0)
    shares = (np.arange(ZERO) + 0.5) / ZERO
    even = np.concatenate([np.quantile(below, shares), [0], np.quantile(above, shares[1:])])
    return even, np.abs(x).max(initial=0) * np.sign(steps) * (steps / ZERO) ** 2


def nearest(x: NDArray[np.floating], levels: NDArray[np.floating]) -> NDArray[np.int64]:
    """The code of the level that is nearest to each number; levels ascend."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, x)
