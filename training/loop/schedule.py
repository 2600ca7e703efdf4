"""The budget of a run, in minutes or in steps, and the learning rate along it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long a run may take: minutes, steps, readings of the text, whichever ends first."""

    minutes: float | None = None
    steps: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        amounts = {"minutes": self.minutes, "steps": self.steps, "epochs": self.epochs}
        if all(amount is None for amount in amounts.values()):
            raise ValueError("a budget is a number of minutes, of steps, of epochs, or of several")
        for name, amount in amounts.items():
            if amount is not None and not amount > 0:
                raise ValueError(f"{name}: {amount} is not above 0")


class Clock:
    """How much of a budget is spent, as a share from 0 to 1.

    `already` seconds are from before; an epoch has about `epoch` steps.
    """

    def __init__(
        self,
        budget: Budget,
        now: Callable[[], float] = time.monotonic,
        *,
        already: float = 0.0,
        epoch: float = math.inf,
    ) -> None:
        self._budget = budget
        self._now = now
        self._begin = now() - already
        self._epoch = epoch

    @property
    def seconds(self) -> float:
        return self._now() - self._begin

    def spent(self, step: int) -> float:
        shares = [0.0]
        if self._budget.minutes is not None:
            shares.append(self.seconds / (60 * self._budget.minutes))
        if self._budget.steps is not None:
            shares.append(step / self._budget.steps)
        if self._budget.epochs is not None:
            shares.append(step / (self._budget.epochs * self._epoch))
        return min(1.0, max(shares))


def learning_rate(spent: float, peak: float, warm_up: float, decay: str = "cosine") -> float:
    """Linear warm-up over the first share `warm_up` of the budget, then down to zero.

    It falls by half a cosine or, where `decay` is "linear", in a straight line.
    """
    if spent < warm_up:
        return peak * max(spent / warm_up, 0.01)
    fallen = (spent - warm_up) / (1 - warm_up)
    return peak * (1 - fallen if decay == "linear" else 0.5 * (1 + math.cos(math.pi * fallen)))
