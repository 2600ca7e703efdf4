"""The simulated typist's figures: a text typed with suggestions, and what they saved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.typist import press

# The groups, with equally many suggestions in each, over which the error of calibration is taken.
BINS = 10


class Suggested(Protocol):
    """What the typist sees of a suggestion, whoever made it."""

    @property
    def text(self) -> str: ...

    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class Session:
    """What the simulated typist did in one text.

    `confidences` and `right` have one entry for each suggestion shown, in the order of typing: the
    confidence it had, and whether all of it was what came next.
    """

    characters: int
    keys: int
    accepted: int
    confidences: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class TypistFigures:
    """The simulated typist's figures over one text or several; shares are from 0 to 1.

    `shown` is the share of keys at which something was suggested, `accepted` the share of these
    suggestions that were taken, whole or by the first word. `calibration_error` is the mean
    distance between the confidence and the share that was wholly right, over bins of equal count.
    Both are None where nothing was shown.
    """

    characters: int
    keys: int
    keystrokes_saved: float
    shown: float
    accepted: float | None
    calibration_error: float | None


def type_with(text: str, complete: Callable[[int], Suggested]) -> Session:
    """Types a whole text by the rule of model.typist; `complete` suggests at a position of it."""
    position = keys = accepted = 0
    confidences: list[float] = []
    right: list[bool] = []
    while position < len(text):
        completion = complete(position)
        key = press(completion.text, text, position)
        if completion.text:
            confidences.append(completion.confidence)
            right.append(text.startswith(completion.text, position))
            accepted += key.accepts != "nothing"
        keys += 1
        position += key.characters
    return Session(len(text), keys, accepted, tuple(confidences), tuple(right))


def figures(sessions: Sequence[Session]) -> TypistFigures:
    """The figures of several sessions taken together."""
    characters = sum(session.characters for session in sessions)
    keys = sum(session.keys for session in sessions)
    confidences = np.array([c for session in sessions for c in session.confidences])
    right = np.array([r for session in sessions for r in session.right], dtype=bool)
    shown = len(confidences)
    return TypistFigures(
        characters=characters,
        keys=keys,
        keystrokes_saved=1 - keys / characters,
        shown=shown / keys,
        accepted=sum(session.accepted for session in sessions) / shown if shown else None,
        calibration_error=calibration_error(confidences, right) if shown else None,
    )


def calibration_error(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS
) -> float:
    """The expected calibration error over bins of equal count (Nixon et al., 2019).

    Both arrays have the shape (suggestions,). It is the mean over suggestions of the distance, in
    the suggestion's bin, between the mean confidence and the share that was right.
    """
    parts = equal_bins(confidences, bins)
    distances = [len(p) * abs(confidences[p].mean() - right[p].mean()) for p in parts]
    return float(sum(distances) / len(confidences))


def equal_bins(confidences: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """The numbers of the suggestions in each of some bins of equal count, by rising confidence."""
    order = np.argsort(confidences, kind="stable")
    return np.array_split(order, min(bins, len(order)))
