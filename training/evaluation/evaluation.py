"""What a checkpoint is worth on a text: bits a character and the simulated typist's figures."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.decoding.candidate import Candidate, Rules
from model.decoding.options import Options
from model.served import Runtime
from model.typist import press
from training.evaluation.flicker import flicker, together
from training.evaluation.scoring import Progress, Reading, ignore, mean_bits, read, window
from training.evaluation.suggestions import Suggestions, best, networks, suggest

PASSES = 2
"""How often `evaluate` goes over the text: once to read it, once to make suggestions."""
STRETCH = 512
"""Characters between two kept states: what one generator of suggestions works through."""
BINS = 10
"""Groups of shown suggestions, equally many in each, over which calibration is judged."""
TIMED_PLACES = 40
TIMED_KEYS = 8
"""Suggestions are timed at so many places of the texts, and so many keys at each."""


class Suggested(Protocol):
    """What the typist sees of a suggestion, whoever made it."""

    @property
    def text(self) -> str: ...

    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True)
class Session:
    """What the simulated typist did in one text.

    `confidences` and `right` have one entry for each suggestion shown, in the order of typing:
    the confidence it had, and whether all of it was what came next.
    """

    characters: int
    keys: int
    accepted: int
    confidences: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class Milliseconds:
    """How long one suggestion takes, measured alone: absorbing the key, then decoding."""

    median: float
    p95: float


@dataclass(frozen=True)
class TypistFigures:
    """The simulated typist's figures over one text or many; shares are from 0 to 1.

    `shown` is the share of keys at which something was suggested, `accepted` the share of these
    that were taken, whole or by the first word. `calibration_error` is the mean distance between
    the confidence and the share that was wholly right, over bins of equal count; None where
    nothing was shown.
    """

    characters: int
    keys: int
    keystrokes_saved: float
    shown: float
    accepted: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class DocumentFigures:
    """One document's row."""

    name: str
    bits_per_character: float
    typist: TypistFigures

    def to_json(self) -> dict[str, Any]:
        """One flat object."""
        row = {"name": self.name, "bits_per_character": self.bits_per_character}
        return row | asdict(self.typist)


@dataclass(frozen=True)
class Evaluation:
    """The figures over all documents, and each document's own.

    `flicker` is the share of keys at which the shown text changed, though what it said was typed,
    otherwise than by growing.
    """

    model: str
    fingerprint: str
    adapted: bool
    options: Options
    bits_per_character: float
    typist: TypistFigures
    flicker: float | None
    milliseconds_per_suggestion: Milliseconds
    documents: tuple[DocumentFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """One object: the figures, under which options, and a list of the documents' rows."""
        return {
            "model": self.model,
            "fingerprint": self.fingerprint,
            "adapted": self.adapted,
            "max_chars": self.options.max_chars,
            "min_confidence": self.options.min_confidence,
            **asdict(self.typist),
            "bits_per_character": self.bits_per_character,
            "flicker": self.flicker,
            "milliseconds_per_suggestion": asdict(self.milliseconds_per_suggestion),
            "documents": [document.to_json() for document in self.documents],
        }


def evaluate(
    runtime: Runtime,
    texts: Sequence[tuple[str, str]],
    options: Options,
    progress: Progress = ignore,
) -> Evaluation:
    """Judges the runtime's checkpoint on named texts, each a document of its own.

    `texts` are pairs of a name and a text that is not empty. `progress` is called with numbers of
    characters; each character counts `PASSES` times. Raises ValueError without a text.
    """
    names, bodies = [name for name, _ in texts], [body for _, body in texts]
    if not all(bodies) or not bodies:
        raise ValueError("texts to evaluate on: at least one, and none of them empty")
    readings = read(runtime, bodies, STRETCH, progress)
    suggestions = suggest(runtime, bodies, readings, options, progress)
    sessions = [
        type_out(text, source, options) for text, source in zip(bodies, suggestions, strict=True)
    ]
    return Evaluation(
        model=runtime.checkpoint.name,
        fingerprint=runtime.fingerprint,
        adapted=runtime.adaptation is not None,
        options=options,
        bits_per_character=mean_bits(readings),
        typist=figures(sessions),
        flicker=together(
            [
                flicker(text, partial(_text_at, source, options))
                for text, source in zip(bodies, suggestions, strict=True)
            ]
        ).share,
        milliseconds_per_suggestion=time_suggestions(runtime, bodies, readings, options),
        documents=tuple(
            DocumentFigures(name, float(reading.bits.mean()), figures([session]))
            for name, reading, session in zip(names, readings, sessions, strict=True)
        ),
    )


def _text_at(suggestions: Suggestions, options: Options, position: int) -> str:
    return suggestions.at(position, options).text


def sweep(
    runtime: Runtime,
    texts: Sequence[str],
    choices: Sequence[Options],
    progress: Progress = ignore,
) -> list[TypistFigures]:
    """The typist's figures under each of several options, decoding only once.

    The choices may differ in `max_chars` and `min_confidence`.
    """
    loosest = replace(
        choices[0],
        max_chars=max(choice.max_chars for choice in choices),
        min_confidence=min(choice.min_confidence for choice in choices),
    )
    readings = read(runtime, texts, STRETCH, progress)
    suggestions = suggest(runtime, texts, readings, loosest, progress)
    return [
        figures(
            [type_out(text, source, c) for text, source in zip(texts, suggestions, strict=True)]
        )
        for c in choices
    ]


def type_out(text: str, suggestions: Suggestions, options: Options) -> Session:
    """Types the whole text, by the rule of model.typist."""
    return type_with(text, lambda position: suggestions.at(position, options))


def type_with(text: str, complete: Callable[[int], Suggested]) -> Session:
    """Types the whole text with what `complete` suggests at the positions it is asked for."""
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

    Both arrays have the shape (suggestions,). The mean over suggestions of the distance, in its
    bin, between the mean confidence and the share that was right.
    """
    parts = equal_bins(confidences, bins)
    distances = [len(p) * abs(confidences[p].mean() - right[p].mean()) for p in parts]
    return float(sum(distances) / len(confidences))


def equal_bins(confidences: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """The numbers of the suggestions in each of some bins of equal count, by rising confidence."""
    order = np.argsort(confidences, kind="stable")
    return np.array_split(order, min(bins, len(order)))


def time_suggestions(
    runtime: Runtime,
    texts: Sequence[str],
    readings: Sequence[Reading],
    options: Options,
    after: int = 0,
) -> Milliseconds:
    """Times suggestions one at a time, a few keys each at places spread over the texts.

    In each text the places have at least `after` characters before them.
    """
    places = [
        (text, number * reading.every, state)
        for text, reading in zip(texts, readings, strict=True)
        for number, state in enumerate(reading.snapshots)
        if after <= number * reading.every < len(text)
    ]
    pool = runtime.pool(2)
    head, tail = pool.acquire(), pool.acquire()
    page = runtime.adaptation.page() if runtime.adaptation else None
    seconds: list[float] = []
    for text, begin, state in places[:: max(1, len(places) // TIMED_PLACES)]:
        pool.write(head, state)
        if page is not None:
            page.follow(window(text, begin))
        for position in range(begin, min(begin + TIMED_KEYS, len(text))):
            started = perf_counter()
            for index in runtime.vocabulary.spell(text[position]):
                pool.step(np.array([head]), np.array([index]))
            cursor = None
            if page is not None:
                page.follow(window(text, position + 1))
                cursor = page.cursor()
            pool.write(tail, pool.read(head))
            greedy = Candidate(Rules(runtime.vocabulary, options, runtime.calibration))
            while True:
                (next_step,) = networks(pool, [tail], runtime.adaptation)
                index, probability = best(runtime.adaptation, cursor, next_step)
                if not greedy.push(index, probability):
                    break
                pool.step(np.array([tail]), np.array([index]))
                if cursor is not None:
                    cursor.push(index)
            greedy.completion()
            seconds.append(perf_counter() - started)
    return Milliseconds(*(float(q) * 1000 for q in np.quantile(seconds, [0.5, 0.95])))
