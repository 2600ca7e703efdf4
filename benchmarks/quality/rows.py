"""One system on one set of texts: its row of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.texts import Span, TextSet
from training.evaluation.figures import (
    Session,
    Suggested,
    TypistFigures,
    figures,
    type_with,
)
from training.evaluation.timing import Milliseconds


@dataclass(frozen=True)
class Typed:
    """What the typist did with suggestions that were cut in one way.

    `saved` has the keystrokes saved in each document.
    """

    gate: str
    typist: TypistFigures
    saved: tuple[float, ...]
    milliseconds_per_suggestion: Milliseconds


@dataclass(frozen=True)
class Row:
    """All that was measured of one system on one set; None where the system has no such figure.

    `tried` has every way to cut suggestions that was measured, `shown` the one of the table. A step
    gives one more character of a suggestion, or one more token where the system has tokens.
    """

    text_set: str
    system: str
    version: str
    bits_per_character: float | None = None
    shown: Typed | None = None
    tried: tuple[Typed, ...] = ()
    microseconds_per_character_read: float | None = None
    microseconds_per_step: float | None = None
    state_bytes: int | None = None


def type_spans(
    texts: TextSet, span: Span, complete: Callable[[int, int], Suggested]
) -> list[Session]:
    """Types the span of each document; `complete` gets a document's number and a position in it."""
    return [
        type_with(
            text[span.begin : span.end],
            lambda position, number=number: complete(number, span.begin + position),  # type: ignore[misc]
        )
        for number, text in enumerate(texts.texts)
    ]


def typed(gate: str, sessions: Sequence[Session], milliseconds: Milliseconds) -> Typed:
    """The figures of the sessions in which suggestions were cut in one way."""
    saved = tuple(1 - s.keys / s.characters for s in sessions)
    return Typed(gate, figures(sessions), saved, milliseconds)


def lead(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """How much more one system saves than another on the same documents, and its standard error.

    The documents are a sample of such texts. With a single one the error is unknown, and given as
    infinite.
    """
    differences = np.subtract(one, other)
    if len(differences) < 2:
        return float(differences.mean()), float("inf")
    return float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5)
