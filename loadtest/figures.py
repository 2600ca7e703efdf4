"""The figures of a load test, computed from its recording."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from loadtest.plan import LoadPlan
from loadtest.recording import Recording, Sample


class Delays(BaseModel):
    """Milliseconds from a request to its answer, over the requests that were answered."""

    model_config = ConfigDict(frozen=True)

    median: float | None
    p90: float | None
    p99: float | None


class Load(BaseModel):
    """What happened while this many typists typed."""

    model_config = ConfigDict(frozen=True)

    typists: int
    requests: int
    requests_per_second: float
    errors: int
    superseded: int
    resyncs: int
    delay: Delays


class ProcessUsage(BaseModel):
    """What the service used: processor time per second, in cores, and its peak memory.

    `worker_cores` has one entry for each worker process. If the service has none, it has one entry
    for the service itself.
    """

    model_config = ConfigDict(frozen=True)

    cores: float
    worker_cores: tuple[float, ...]
    peak_megabytes: float


class LoadFigures(BaseModel):
    """The result of a load test.

    `total` covers all `steps`. The requests that open a text are counted in `opening` only.
    """

    model_config = ConfigDict(frozen=True)

    plan: LoadPlan
    store: str
    checkpoint: str
    total: Load
    steps: tuple[Load, ...]
    opening: Load
    keys: int
    characters: int
    keystrokes_saved: float
    errors: dict[str, int]
    service: ProcessUsage


def compute(
    plan: LoadPlan, recording: Recording, usage: ProcessUsage, *, store: str, checkpoint: str
) -> LoadFigures:
    """The figures of a whole test and of each of its steps."""
    keys = [s for s in recording.samples if not s.opening]
    steps = tuple(
        _load([s for s in keys if _step(plan, s) == index], typists, plan.step_seconds)
        for index, typists in enumerate(plan.steps)
    )
    opening = [s for s in recording.samples if s.opening]
    characters = recording.characters
    return LoadFigures(
        plan=plan,
        store=store,
        checkpoint=checkpoint,
        total=_load(keys, plan.typists, plan.seconds),
        steps=steps,
        opening=_load(opening, plan.typists, plan.seconds),
        keys=recording.keys,
        characters=characters,
        keystrokes_saved=1 - recording.keys / characters if characters else 0.0,
        errors=recording.errors,
        service=usage,
    )


def _step(plan: LoadPlan, sample: Sample) -> int:
    """The index of the step in which the request began; after the end, the last step counts."""
    begun = max(0.0, sample.at - sample.milliseconds / 1000)
    step = plan.step_at(begun)
    return len(plan.steps) - 1 if step is None else step


def _load(samples: Sequence[Sample], typists: int, seconds: float) -> Load:
    outcomes = [s.outcome for s in samples]
    return Load(
        typists=typists,
        requests=len(samples),
        requests_per_second=len(samples) / seconds,
        errors=outcomes.count("error"),
        superseded=outcomes.count("superseded"),
        resyncs=outcomes.count("resync"),
        delay=_delays([s.milliseconds for s in samples if s.outcome == "answered"]),
    )


def _delays(milliseconds: Sequence[float]) -> Delays:
    if not milliseconds:
        return Delays(median=None, p90=None, p99=None)
    median, p90, p99 = (float(p) for p in np.percentile(milliseconds, [50, 90, 99]))
    return Delays(median=median, p90=p90, p99=p99)
