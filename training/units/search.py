"""Finds the unit that follows a feature: chosen on one half of the text, judged on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.units.activations import Activations, Unit
from training.units.features import Feature, Values


@dataclass(frozen=True)
class FoundUnit:
    """The unit that follows a feature best.

    `chosen` is the correlation (Pearson's r) on the characters on which the unit was chosen among
    all units. `held_out` is the correlation on other characters. The sign tells whether the unit
    rises or falls with the feature.
    """

    feature: str
    unit: Unit
    chosen: float
    held_out: float

    def to_json(self) -> dict[str, Any]:
        """One flat object."""
        return {
            "feature": self.feature,
            "layer": self.unit.layer,
            "part": self.unit.part,
            "unit": self.unit.number,
            "correlation_chosen": self.chosen,
            "correlation_held_out": self.held_out,
        }


def correlations(activations: NDArray[np.float32], features: Values) -> Values:
    """Pearson's r of every feature with every unit, shape (features, units).

    `activations` have the shape (characters, units), `features` (features, characters). The result
    is 0 where a unit or a feature does not vary.
    """
    centred = activations - activations.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviations = features - features.mean(axis=1, keepdims=True)
    norms = np.outer(
        np.sqrt((deviations**2).sum(axis=1)),
        np.sqrt(np.einsum("cu,cu->u", centred, centred, dtype=np.float64)),
    )
    products = (deviations.astype(np.float32) @ centred).astype(np.float64)
    shares: Values = np.divide(products, norms, out=np.zeros_like(products), where=norms > 1e-6)
    return shares


def find(
    readings: Sequence[Activations], texts: Sequence[str], features: Sequence[Feature]
) -> list[FoundUnit]:
    """The unit that follows each feature best.

    The unit is chosen on the first halves of the texts and judged on the second halves. A feature
    that is constant in one of the halves is left out.
    """
    halves = [len(text) // 2 for text in texts]
    values = [np.array([feature.values(text) for feature in features]) for text in texts]
    early = np.concatenate([v[:, :h] for v, h in zip(values, halves, strict=True)], axis=1)
    late = np.concatenate([v[:, h:] for v, h in zip(values, halves, strict=True)], axis=1)
    if early.shape[1] == 0 or not features:
        return []
    chosen = correlations(
        np.concatenate([r.values[:h] for r, h in zip(readings, halves, strict=True)]), early
    )
    held_out = correlations(
        np.concatenate([r.values[h:] for r, h in zip(readings, halves, strict=True)]), late
    )
    found = []
    for number, feature in enumerate(features):
        if np.ptp(early[number]) == 0 or np.ptp(late[number]) == 0:
            continue
        best = int(np.abs(chosen[number]).argmax())
        unit = readings[0].units[best]
        shares = float(chosen[number, best]), float(held_out[number, best])
        found.append(FoundUnit(feature.name, unit, *shares))
    return found
