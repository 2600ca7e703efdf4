"""The networks of this repository, measured on one set of texts as they are served."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.quality.rows import Row, Typed, type_spans, typed
from benchmarks.quality.texts import Span, TextSet
from model.adaptation import is_primed
from model.checkpoint import load
from model.decoding.next_step import predicted
from model.decoding.options import Options
from model.decoding.scoring import window
from model.served import Runtime
from training.evaluation.scoring import read
from training.evaluation.suggestions import suggest
from training.evaluation.timing import time_suggestions

# Called with a number of characters that are done.
Progress = Callable[[int], None]

# The bounds on the probability of a whole suggestion that are tried besides the served one.
BOUNDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# How many steps of decoding are timed at each position: the most characters that a suggestion has
# by default.
TIMED_STEPS = 24


def characters(texts: TextSet, span: Span) -> int:
    """How many characters the progress of one way to run a network counts to."""
    return sum(len(text[: span.bits]) + 2 * span.end for text in texts.texts)


def ways(directory: Path) -> list[bool]:
    """Without adaptation and, where the checkpoint is primed for it, with it.

    Raises ModelError for a folder that is no checkpoint.
    """
    return [False, True] if is_primed(load(directory)) else [False]


def measure_plain(
    directory: Path, system: str, texts: TextSet, span: Span, options: Options, progress: Progress
) -> list[Row]:
    """The row of a network without adaptation, whose suggestions are shown up to the bound."""
    runtime = Runtime(load(directory), adapt=False)
    return [_Measured(runtime, texts, span, options, progress).row(system, by_value=False)]


def measure(
    directory: Path,
    kind: str,
    adapt: bool,
    texts: TextSet,
    span: Span,
    options: Options,
    progress: Progress,
) -> list[Row]:
    """Two rows of a network, with or without adaptation to the text.

    In the first row suggestions are shown up to the bound, in the second they are cut by value.
    """
    measured = _Measured(Runtime(load(directory), adapt=adapt), texts, span, options, progress)
    names = ("with counts", "all") if adapt else ("alone", "by value")
    return [
        measured.row(f"{kind}, {name}", by_value)
        for name, by_value in zip(names, (False, True), strict=True)
    ]


class _Measured:
    """One way to run a network, and what it predicted for the texts."""

    def __init__(
        self, runtime: Runtime, texts: TextSet, span: Span, options: Options, progress: Progress
    ) -> None:
        self._runtime, self._texts, self._span, self._options = runtime, texts, span, options
        counted = read(runtime, [text[: span.bits] for text in texts.texts], 0, progress)
        self._bits = float(np.concatenate([reading.bits for reading in counted]).mean())
        self._bodies = [text[: span.end] for text in texts.texts]
        self._readings = read(runtime, self._bodies, span.begin, progress)
        loosest = replace(options, min_confidence=0.0, by_value=False)
        self._found = suggest(runtime, self._bodies, self._readings, loosest, progress)
        self._read, self._step, self._state = self._costs()

    def row(self, system: str, by_value: bool) -> Row:
        """The row under the options, with all bounds that were tried."""
        options = replace(self._options, by_value=by_value)
        bounds = [replace(options, min_confidence=bound) for bound in BOUNDS]
        tried = tuple(self._typed(choice) for choice in bounds)
        return Row(
            self._texts.name,
            system,
            self._runtime.fingerprint,
            bits_per_character=self._bits,
            shown=self._typed(options),
            tried=tried,
            microseconds_per_character_read=self._read,
            microseconds_per_step=self._step,
            state_bytes=self._state,
        )

    def _typed(self, options: Options) -> Typed:
        sessions = type_spans(
            self._texts,
            self._span,
            lambda number, position: self._found[number].at(position, options),
        )
        gate = f"{'by value' if options.by_value else 'whole'}, bound {options.min_confidence:g}"
        times = time_suggestions(
            self._runtime, self._bodies, self._readings, options, self._span.begin
        )
        return typed(gate, sessions, times)

    def _costs(self) -> tuple[float, float, int]:
        """Microseconds to read a character, microseconds of a step, and the bytes of a session."""
        runtime, text, span = self._runtime, self._bodies[0], self._span
        pool = runtime.pool(2)
        head, tail = pool.acquire(), pool.acquire()
        pool.write(head, self._readings[0].snapshots[1])
        page = runtime.adaptation.page() if runtime.adaptation else None
        reading, stepping = [], []
        for position in range(span.begin, span.end):
            begun = process_time()
            for index in runtime.vocabulary.spell(text[position]):
                pool.step([head], [index])
            if page is not None:
                page.follow(window(text, position + 1))
            reading.append(process_time() - begun)
            pool.write(tail, pool.read(head))
            cursors = [page.cursor()] if page is not None else []
            begun = process_time()
            for _ in range(TIMED_STEPS):
                (next_step,) = predicted(pool, runtime.adaptation, [tail], cursors, False, [None])
                pool.step([tail], [next_step.id])
                for cursor in cursors:
                    cursor.push(next_step.id)
            stepping.append((process_time() - begun) / TIMED_STEPS)
        state = runtime.state_size + (page.nbytes if page is not None else 0)
        return float(np.median(reading)) * 1e6, float(np.median(stepping)) * 1e6, state
