"""The measurements of a run: training loss, validation figures, and the best of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

# The weight of a step in the exponential means of loss and gradient norm: they follow about the
# last 50 steps.
MEAN_WEIGHT = 0.02


@dataclass(frozen=True)
class Measurement:
    """One measurement on the held-out documents.

    Bits are bits a character. `train_bits` and `gradient_norm` are exponential means over recent
    steps.
    """

    step: int
    characters: int
    seconds: float
    train_bits: float
    validation_bits: float
    gradient_norm: float


@dataclass
class History:
    """The measurements of a run in order, and exponential means over its recent steps.

    `stopped_early` and `interrupted` tell how this attempt at the run ended. They are not saved
    with it.
    """

    measurements: list[Measurement] = field(default_factory=list)
    recent_bits: float = math.nan
    recent_norm: float = math.nan
    stopped_early: bool = False
    interrupted: bool = False

    def observe(self, bits: float, norm: float) -> None:
        """Adds one step to the means: its loss in bits, and its gradient norm before clipping."""
        if math.isnan(self.recent_bits):
            self.recent_bits, self.recent_norm = bits, norm
        self.recent_bits += MEAN_WEIGHT * (bits - self.recent_bits)
        self.recent_norm += MEAN_WEIGHT * (norm - self.recent_norm)

    def add(self, measurement: Measurement) -> None:
        self.measurements.append(measurement)

    @property
    def best(self) -> Measurement:
        """The measurement with the fewest bits on the held-out documents; the first of equals."""
        return min(self.measurements, key=lambda m: m.validation_bits)

    @property
    def improved(self) -> bool:
        """Whether the last measurement is the best so far."""
        return self.best is self.measurements[-1]

    @property
    def since_best(self) -> int:
        """How many measurements have followed the best one."""
        return len(self.measurements) - 1 - self.measurements.index(self.best)

    def summary(self) -> dict[str, Any]:
        """The figures of the training that a checkpoint stores: those of the best measurement."""
        best = self.best
        return {
            "steps": best.step,
            "characters_read": best.characters,
            "minutes": round(best.seconds / 60, 1),
            "train_bits_per_character": round(best.train_bits, 4),
            "validation_bits_per_character": round(best.validation_bits, 4),
            "stopped_early": self.stopped_early,
        }
