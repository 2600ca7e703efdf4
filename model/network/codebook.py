"""The levels to which numbers are rounded, so that a code of four bits stands for each number.

Lloyd, "Least squares quantization in PCM", 1982: each number is assigned to its nearest level, then
each level moves to the mean of its numbers, and so on by turns.
"""

import numpy as np
from numpy.typing import NDArray

from model.network.contexts import LEVELS, ZERO_CODE

# How many times numbers are assigned and levels moved.
LLOYD_ROUNDS = 40

Floats = NDArray[np.float64]


def fit_levels(numbers: NDArray[np.float32], weights: NDArray[np.float32]) -> Floats:
    """Ascending levels with about the least weighted squared error; the level of ZERO_CODE is 0.

    `weights` are broadcast to the shape of `numbers`; numbers of weight 0 are left out.
    """
    w = np.broadcast_to(weights, numbers.shape)
    x, w = numbers[w > 0].astype(np.float64), w[w > 0]
    tried = [_lloyd(x, w, start) for start in _starts(x)]
    return min(tried, key=lambda levels: float(w @ np.square(x - levels[nearest(x, levels)])))


def _lloyd(x: Floats, w: NDArray[np.float32], levels: Floats) -> Floats:
    for _ in range(LLOYD_ROUNDS):
        codes = nearest(x, levels)
        sums = np.bincount(codes, w, LEVELS)
        means = np.bincount(codes, w * x, LEVELS) / np.where(sums > 0, sums, 1)
        levels = np.where(sums > 0, means, levels)
        levels[ZERO_CODE] = 0
    return levels


def _starts(x: Floats) -> tuple[Floats, Floats]:
    """Two sets of levels to start from, since the result of Lloyd's rounds depends on the start.

    In the first, every level has equally many numbers. In the second, the distances between levels
    grow with their magnitude.
    """
    steps = np.arange(-ZERO_CODE, LEVELS - ZERO_CODE)
    below, above = np.append(x[x < 0], 0), np.append(x[x > 0], 0)
    shares = (np.arange(ZERO_CODE) + 0.5) / ZERO_CODE
    even = np.concatenate([np.quantile(below, shares), [0], np.quantile(above, shares[1:])])
    return even, np.abs(x).max(initial=0) * np.sign(steps) * (steps / ZERO_CODE) ** 2


def nearest(x: NDArray[np.floating], levels: NDArray[np.floating]) -> NDArray[np.int64]:
    """The code of the level nearest to each number; `levels` must ascend."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, x)
