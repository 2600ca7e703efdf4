"""The simulated typist's figures: it types a text with suggestions, and counts the saved keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.typist import press

# The calibration error is computed over this many groups of equally many suggestions.
BINS = 10


class Suggested(Protocol):
    """A suggestion as the typist sees it."""

    @property
    def text(self) -> str: ...

    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class Session:
    """What the simulated typist did in one text.

    `confidences` and `right` have an entry for each suggestion shown, in the order of typing: its
    confidence, and whether the text went on with all of it.
    """

    characters: int
    keys: int
    accepted: int
    confidences: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class TypistFigures:
    """The simulated typist's figures over one text or several; shares are from 0 to 1.

    `shown` is the share of keys at which something was suggested. `accepted` is the share of these
    suggestions that were taken, all of them or their first word. `calibration_error` is the mean
    distance between the confidence and the share that was entirely right, over bins of equal count.
    `accepted` and `calibration_error` are None where nothing was shown.
    """

    characters: int
    keys: int
    keystrokes_saved: float
    shown: float
    accepted: float | None
    calibration_error: float | None


def type_with(text: str, complete: Callable[[int], Suggested]) -> Session:
    """Types a whole text by the rule of model.typist; `complete` gives a position's suggestion."""
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

    Both arrays have the shape (suggestions,). The error of a bin is the distance between its mean
    confidence and its share of right suggestions; the result is the mean over suggestions of their
    bin's error.
    """
    parts = equal_bins(confidences, bins)
    distances = [len(p) * abs(confidences[p].mean() - right[p].mean()) for p in parts]
    return float(sum(distances) / len(confidences))


def equal_bins(confidences: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """The suggestions in bins of equal count, by rising confidence, each as an array of indices."""
    order = np.argsort(confidences, kind="stable")
    return np.array_split(order, min(bins, len(order)))
