"""The running prediction of each session: the steps already computed beyond the end of its text."""

from collections import OrderedDict
from dataclasses import dataclass

# A longer prediction is kept up to here: beyond it the next keystrokes compute on as usual.
KEPT_STEPS = 48


@dataclass(frozen=True)
class Step:
    """One predicted id, its probability, and the state after it (None where none was computed)."""

    id: int
    probability: float
    state: bytes | None


@dataclass(frozen=True)
class Prediction:
    """What the network chooses after a text, step by step; `base` is that text's digest.

    It is a function of the text and of `fingerprint`, so to follow it or to compute it anew gives
    the same bits.
    """

    fingerprint: str
    base: bytes
    steps: tuple[Step, ...]

    def after(self, fingerprint: str, base: bytes) -> tuple[Step, ...]:
        """The steps, if they begin where the caller does."""
        return self.steps if (self.fingerprint, self.base) == (fingerprint, base) else ()


class Predictions:
    """The predictions of the sessions served last, one each; the least recent go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Prediction] = OrderedDict()

    def get(self, session: str) -> Prediction | None:
        """The session's prediction, if it is still kept."""
        return self._kept.get(session)

    def keep(self, session: str, prediction: Prediction) -> None:
        """Keeps it in place of the session's earlier one."""
        self._kept[session] = prediction
        self._kept.move_to_end(session)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, session: str) -> None:
        """Leaves nothing of the session."""
        self._kept.pop(session, None)
