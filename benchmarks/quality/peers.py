"""The peers, each measured on one set of texts."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.quality.chains import GATES, Chain, milliseconds
from benchmarks.quality.ppmd import ORDER, compressed_bits
from benchmarks.quality.rows import Row, type_spans, typed
from benchmarks.quality.texts import Span, TextSet
from benchmarks.quality.transformer import Transformer, gemma, smollm2

# How many keys of each document are timed, each with a new suggestion.
TIMED_KEYS = 8

# Called with a number of characters that are done.
Progress = Callable[[int], None]

WEIGHTS: dict[str, Callable[[], Path]] = {
    "SmolLM2-135M": smollm2,
    "Gemma 3 270M": gemma,
}
PPMD = f"PPMd order {ORDER}"
NAMES = (PPMD, *WEIGHTS)


def version(system: str) -> str:
    """What identifies the peer: for a transformer the hash of its weights. Raises Missing."""
    if system == PPMD:
        compressed_bits("")
        return "variant I"
    with WEIGHTS[system]().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def characters(system: str, texts: TextSet, span: Span) -> int:
    """How many characters the progress of a measurement counts to."""
    read = sum(len(text[: span.bits]) for text in texts.texts)
    return read if system == PPMD else read + len(texts.texts) * (span.end - span.begin)


def measure(
    system: str, texts: TextSet, span: Span, max_chars: int, progress: Progress
) -> list[Row]:
    """One peer's row. Raises Missing where it is not installed."""
    if system == PPMD:
        return [_measure_ppmd(texts, span, progress)]
    return [_measure_transformer(system, texts, span, max_chars, progress)]


def _measure_ppmd(texts: TextSet, span: Span, progress: Progress) -> Row:
    read, bits, seconds = 0, 0.0, 0.0
    for text in texts.texts:
        taken, took = compressed_bits(text[: span.bits])
        read, bits, seconds = read + len(text[: span.bits]), bits + taken, seconds + took
        progress(len(text[: span.bits]))
    return Row(
        texts.name,
        PPMD,
        version(PPMD),
        bits_per_character=bits / read,
        microseconds_per_character_read=seconds / read * 1e6,
    )


def _measure_transformer(
    system: str, texts: TextSet, span: Span, max_chars: int, progress: Progress
) -> Row:
    model = Transformer(WEIGHTS[system]())
    read = [text[: span.bits] for text in texts.texts]
    bits, seconds, state_bytes = 0.0, [], []
    chains: list[list[Chain]] = []
    timed: list[Chain] = []
    for text in read:
        bits += model.bits(text)
        progress(len(text))
    model.step_seconds.clear()
    for text in texts.texts:
        model.reset()
        begun = process_time()
        model.after(model.tokens(text[: span.begin]))
        seconds.append(process_time() - begun)
        for position in range(span.begin, min(span.end, span.begin + TIMED_KEYS)):
            model.forget_suggestions(text[: position - 1])
            timed.append(model.chain(text[:position], max_chars))
        chains.append([])
        for position in range(span.begin, span.end):
            chains[-1].append(model.chain(text[:position], max_chars))
            progress(1)
        state_bytes.append(model.state_bytes())
    steps = model.step_seconds
    model.close()
    tried = []
    for gate in GATES:
        cuts = [[gate.cut(chain) for chain in line] for line in chains]
        sessions = type_spans(texts, span, lambda n, p, cuts=cuts: cuts[n][p - span.begin])  # type: ignore[misc]
        times = milliseconds([gate.cut(chain) for chain in timed])
        tried.append(typed(str(gate), sessions, times))
    return Row(
        texts.name,
        system,
        version(system),
        bits_per_character=bits / sum(map(len, read)),
        shown=max(tried, key=lambda one: one.typist.keystrokes_saved),
        tried=tuple(tried),
        microseconds_per_character_read=float(np.median(seconds)) / span.begin * 1e6,
        microseconds_per_step=float(np.median(steps)) * 1e6,
        state_bytes=int(np.median(state_bytes)),
    )
