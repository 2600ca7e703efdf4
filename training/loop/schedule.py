"""The budget of a run in minutes, steps or epochs, and the learning rate as it is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

# The budget where the user names none: long enough for a first useful network.
DEFAULT_MINUTES = 10.0
# The learning rate begins at this share of its peak. At a rate of 0 the first step would be wasted.
FIRST_RATE_SHARE = 0.01


@dataclass(frozen=True)
class Budget:
    """How long a run may take: minutes, steps or epochs, whichever is used up first.

    Raises ValueError where all are None, and for a number that is not above 0.
    """

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

    @classmethod
    def or_default(
        cls, minutes: float | None = None, steps: int | None = None, epochs: int | None = None
    ) -> Budget:
        """The budget of these amounts; `DEFAULT_MINUTES` where none is given."""
        unlimited = minutes is None and steps is None and epochs is None
        return cls(DEFAULT_MINUTES if unlimited else minutes, steps, epochs)


class Clock:
    """How much of a budget is spent, as a share from 0 to 1.

    `already` is the number of seconds that the run took before it was resumed.
    """

    def __init__(
        self,
        budget: Budget,
        now: Callable[[], float] = time.monotonic,
        *,
        already: float = 0.0,
        steps_per_epoch: float = math.inf,
    ) -> None:
        self._budget = budget
        self._now = now
        self._begin = now() - already
        self._steps_per_epoch = steps_per_epoch

    @property
    def seconds(self) -> float:
        """How long the run has taken, including the time before it was resumed."""
        return self._now() - self._begin

    def spent(self, step: int) -> float:
        """The share of the budget that is spent after `step` steps."""
        shares = [0.0]
        if self._budget.minutes is not None:
            shares.append(self.seconds / (60 * self._budget.minutes))
        if self._budget.steps is not None:
            shares.append(step / self._budget.steps)
        if self._budget.epochs is not None:
            shares.append(step / (self._budget.epochs * self._steps_per_epoch))
        return min(1.0, max(shares))


def learning_rate(spent: float, peak: float, warm_up: float, decay: str = "cosine") -> float:
    """The learning rate when the share `spent` of the budget is spent.

    It rises linearly to `peak` over the share `warm_up`. Then it falls to 0 as half a cosine, or
    in a straight line where `decay` is "linear".
    """
    if spent < warm_up:
        return peak * max(spent / warm_up, FIRST_RATE_SHARE)
    fallen = (spent - warm_up) / (1 - warm_up)
    return peak * (1 - fallen if decay == "linear" else 0.5 * (1 + math.cos(math.pi * fallen)))
