"""The time of one suggestion, measured with the objects that the service decodes with."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from model.completing import decode, decoding_at
from model.decoding.continuation import MOST_KEPT_STEPS
from model.decoding.options import Options
from model.decoding.scoring import window
from model.served import Runtime
from training.evaluation.scoring import Reading

# Suggestions are timed at about this many places, spread over all texts, and at each place for this
# many keys in a row. This is enough for a 95th percentile, and takes a second or two.
TIMED_PLACES = 40
TIMED_KEYS = 8


@dataclass(frozen=True)
class Milliseconds:
    """How long one suggestion takes, measured alone: absorbing the key, then decoding."""

    median: float
    p95: float


def time_suggestions(
    runtime: Runtime,
    texts: Sequence[str],
    readings: Sequence[Reading],
    options: Options,
    after: int = 0,
) -> Milliseconds:
    """Times suggestions one at a time, for a few keys at each of many places in the texts.

    Each place has at least `after` characters of its text before it.
    """
    places = [
        (text, number * reading.every, state)
        for text, reading in zip(texts, readings, strict=True)
        for number, state in enumerate(reading.snapshots)
        if after <= number * reading.every < len(text)
    ]
    adaptation = runtime.adaptation
    pool = runtime.pool(options.n)
    page = adaptation.page() if adaptation else None
    seconds: list[float] = []
    for text, begin, state in places[:: max(1, len(places) // TIMED_PLACES)]:
        if page is not None:
            page.follow(window(text, begin))
        for position in range(begin, min(begin + TIMED_KEYS, len(text))):
            started = perf_counter()
            # The steps of the previous suggestion are not replayed: this is the time of a key that
            # it did not predict. A predicted key takes less.
            decoding = decoding_at(
                runtime,
                options,
                text,
                position + 1,
                page,
                state,
                position,
                kept_steps=MOST_KEPT_STEPS,
            )
            decode(pool, adaptation, decoding)
            seconds.append(perf_counter() - started)
            state = decoding.states[-1]
    return Milliseconds(*(float(q) * 1000 for q in np.quantile(seconds, [0.5, 0.95])))
