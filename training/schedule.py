"""The budget of a run, in minutes or in steps, and the learning rate along it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long a run may take: minutes, steps, or both, whichever ends first."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise ValueError("a budget is a number of minutes, of steps, or both")
        for name, amount in (("minutes", self.minutes), ("steps", self.steps)):
            if amount is not None and not amount > 0:
                raise ValueError(f"{name}: {amount} is not above 0")


class Clock:
    """How much of a budget is spent, as a share from 0 to 1."""

    def __init__(self, budget: Budget, now: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._now = now
        self._begin = now()

    @property
    def seconds(self) -> float:
        return self._now() - self._begin

    def spent(self, step: int) -> float:
        shares = [0.0]
        if self._budget.minutes is not None:
            shares.append(self.seconds / (60 * self._budget.minutes))
        if self._budget.steps is not None:
            shares.append(step / self._budget.steps)
        return min(1.0, max(shares))


def learning_rate(spent: float, peak: float, warm_up: float) -> float:
    """Linear warm-up over the first share `warm_up` of the budget, then a cosine down to zero."""
    if spent < warm_up:
        return peak * max(spent / warm_up, 0.01)
    return peak * 0.5 * (1 + math.cos(math.pi * (spent - warm_up) / (1 - warm_up)))
