"""Calibration: from the network's own probability that a suggestion is right to the observed one.

The map is monotone and piecewise linear (isotonic regression: Zadrozny and Elkan, 2002), so the
more probable of two suggestions never becomes the less probable one. It is computed by + − × ÷ on
binary64 in one written order, which gives the same bits on every machine.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError

# The names of the map's arrays in a checkpoint.
RAW_ARRAY = "calibration.raw"
RIGHT_ARRAY = "calibration.right"


@dataclass(frozen=True)
class Calibration:
    """Knots: `raw` probabilities that rise from 0 to 1, and the share that was `right` at each.

    Raises ValueError for knots that make no monotone map.
    """

    raw: tuple[float, ...] = (0.0, 1.0)
    right: tuple[float, ...] = (0.0, 1.0)

    def __post_init__(self) -> None:
        raw, right = np.array(self.raw), np.array(self.right)
        if raw.shape != right.shape or raw.ndim != 1 or len(raw) < 2:
            raise ValueError("calibration needs one share for each of two knots or more")
        if not (raw[0] == 0 and raw[-1] == 1 and (np.diff(raw) > 0).all()):
            raise ValueError("the knots of a calibration rise from 0 to 1")
        if not ((np.diff(right) >= 0).all() and right[0] >= 0 and right[-1] <= 1):
            raise ValueError("the shares of a calibration rise within 0 and 1")

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[Any]]) -> Calibration:
        """The map that a checkpoint holds; the identity where it holds none.

        Raises CheckpointError for a map that is damaged.
        """
        if RAW_ARRAY not in weights and RIGHT_ARRAY not in weights:
            return cls()
        try:
            raw, right = weights[RAW_ARRAY], weights[RIGHT_ARRAY]
            return cls(tuple(raw.tolist()), tuple(right.tolist()))
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"calibration: {error}") from None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by which a checkpoint holds the map, float32."""
        return {
            RAW_ARRAY: np.array(self.raw, np.float32),
            RIGHT_ARRAY: np.array(self.right, np.float32),
        }

    def __call__(self, probability: float) -> float:
        """The calibrated probability, 0 to 1, for a raw one, 0 to 1."""
        at = min(bisect_right(self.raw, probability), len(self.raw) - 1)
        x0, x1 = self.raw[at - 1], self.raw[at]
        y0, y1 = self.right[at - 1], self.right[at]
        return min(y1, y0 + (probability - x0) * (y1 - y0) / (x1 - x0))
