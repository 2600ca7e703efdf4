"""The running prediction of each session: the steps already computed beyond the end of its text."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from model.decoding.next_step import NextStep

# A longer prediction is kept up to here: beyond it the next keystrokes compute on as usual. A step
# of a network of 512 units takes 4.1 KB.
KEPT_STEPS = 16


@dataclass(frozen=True)
class KeptStep:
    """What was predicted in one place, with the state there if it was kept, and the id chosen."""

    next_step: NextStep
    id: int

    @classmethod
    def of(cls, next_step: NextStep, index: int) -> Self:
        """A step as it is kept: without what depends on the page, and with arrays of its own."""
        network, distribution = next_step.network, next_step.distribution
        if network is not None:
            network, distribution = network.copy(), None
        elif distribution is not None:
            distribution = distribution.copy()
        bare = next_step._replace(cursor=None, network=network, distribution=distribution)
        return cls(bare, index)


@dataclass(frozen=True)
class Continuation:
    """What is chosen after a text, step by step; `base` is that text's digest.

    What the network says along it is a function of the text and of `fingerprint`, so to follow it
    or to compute it anew gives the same bits.
    """

    fingerprint: str
    base: bytes
    steps: tuple[KeptStep, ...]

    def after(self, fingerprint: str, base: bytes) -> tuple[KeptStep, ...]:
        """The steps, if they begin where the caller does."""
        return self.steps if (self.fingerprint, self.base) == (fingerprint, base) else ()


class Continuations:
    """The predictions of the sessions served last, one each; the least recent go first."""

    def __init__(
        self,
        most: int,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Continuation]] = OrderedDict()

    def get(self, session: str) -> Continuation | None:
        """The session's prediction, if it is still kept."""
        kept = self._kept.get(session)
        return kept[1] if kept else None

    def keep(self, session: str, continuation: Continuation) -> None:
        """Keeps it in place of the session's earlier one."""
        self._kept[session] = (self._clock() + self._seconds, continuation)
        self._kept.move_to_end(session)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, session: str) -> None:
        """Leaves nothing of the session."""
        self._kept.pop(session, None)

    def expire(self) -> None:
        """Lets go what has been kept for long enough."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)
