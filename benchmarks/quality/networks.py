"""The networks of this repository, measured on one set of texts as they are served."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.quality.rows import Row, type_spans, typed
from benchmarks.quality.texts import Span, TextSet
from model.checkpoint import load
from model.decoding import Options
from model.runtime import Ids, Runtime
from training.evaluation import STRETCH, time_suggestions
from training.suggestions import suggest
from training.surprise import read

Progress = Callable[[int], None]
"""Called with a number of characters that are done."""

BOUNDS = (0.02, 0.1, 0.2, 0.3, 0.4)
TIMED_STEPS = 2000


def characters(texts: TextSet, span: Span) -> int:
    """How many characters the progress of a measurement counts to."""
    return sum(len(text[: span.bits]) + 2 * span.end for text in texts.texts)


def measure(
    directory: Path, system: str, texts: TextSet, span: Span, options: Options, progress: Progress
) -> Row:
    """The row of one checkpoint, under options and, to compare, under other bounds.

    Raises ModelError for a folder that is no checkpoint.
    """
    runtime = Runtime(load(directory))
    bits = np.concatenate(
        [r.bits for r in read(runtime, [t[: span.bits] for t in texts.texts], 0, progress)]
    )
    bodies = [text[: span.end] for text in texts.texts]
    readings = read(runtime, bodies, STRETCH, progress)
    loosest = replace(options, min_confidence=0.0, by_value=False)
    found = suggest(runtime, bodies, readings, loosest, progress)
    times = time_suggestions(runtime, bodies, readings, options)
    tried = []
    for choice in (options, *(replace(options, min_confidence=bound) for bound in BOUNDS)):
        sessions = type_spans(
            texts,
            span,
            lambda number, position, choice=choice: found[number].at(position, choice),  # type: ignore[misc]
        )
        gate = f"bound ≥ {choice.min_confidence:g}"
        tried.append(typed(gate, sessions, times))
    read_seconds, step_seconds = _seconds(runtime, runtime.vocabulary.encode(bodies[0]))
    return Row(
        texts.name,
        system,
        runtime.fingerprint,
        bits_per_character=float(bits.mean()),
        shown=tried[0],
        tried=tuple(tried),
        microseconds_per_character_read=read_seconds * 1e6,
        microseconds_per_step=step_seconds * 1e6,
        state_bytes=runtime.state_size,
    )


def _seconds(runtime: Runtime, ids: Ids) -> tuple[float, float]:
    """What one session's state costs: a character read, and a step along a suggestion."""
    pool = runtime.pool(1)
    slots = [pool.acquire()]
    pool.start(slots[0])
    reading, following = [], []
    for number in range(TIMED_STEPS):
        begun = perf_counter()
        pool.step(slots, ids[[number % len(ids)]])
        reading.append(perf_counter() - begun)
    best, _ = pool.best(slots)
    for _ in range(TIMED_STEPS):
        begun = perf_counter()
        best, _ = pool.follow(slots, best)
        following.append(perf_counter() - begun)
    return float(np.median(reading)), float(np.median(following))
