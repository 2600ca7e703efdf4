"""What was measured along a run: the training loss, the validation figures, the best of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One look at the held-out documents; bits are bits a character."""

    step: int
    characters: int
    seconds: float
    train_bits: float
    validation_bits: float
    gradient_norm: float


@dataclass
class History:
    """The measurements of a run in order, and exponential means of what happens between them."""

    measurements: list[Measurement] = field(default_factory=list)
    epochs: int = 0
    recent_bits: float = float("nan")
    recent_norm: float = float("nan")
    stopped_early: bool = False
    interrupted: bool = False

    def observe(self, bits: float, norm: float) -> None:
        """Takes one step's loss in bits and gradient norm before clipping into the means."""
        if self.recent_bits != self.recent_bits:
            self.recent_bits, self.recent_norm = bits, norm
        self.recent_bits += 0.02 * (bits - self.recent_bits)
        self.recent_norm += 0.02 * (norm - self.recent_norm)

    def add(self, measurement: Measurement) -> None:
        self.measurements.append(measurement)

    @property
    def best(self) -> Measurement:
        return min(self.measurements, key=lambda m: m.validation_bits)

    @property
    def improved(self) -> bool:
        """Whether the last measurement is the best so far."""
        return self.best is self.measurements[-1]

    @property
    def since_best(self) -> int:
        return len(self.measurements) - 1 - self.measurements.index(self.best)

    def summary(self) -> dict[str, Any]:
        """The figures that a checkpoint keeps of its training."""
        best = self.best
        return {
            "epochs": self.epochs,
            "steps": best.step,
            "characters_read": best.characters,
            "minutes": round(best.seconds / 60, 1),
            "train_bits_per_character": round(best.train_bits, 4),
            "validation_bits_per_character": round(best.validation_bits, 4),
            "stopped_early": self.stopped_early,
        }
