"""The figures computed in loadtest.figures, and the steps of loadtest.plan."""

import pytest

from loadtest.figures import ProcessUsage, compute
from loadtest.plan import LoadPlan
from loadtest.recording import Outcome, Recording, Sample


def sample(
    at: float, milliseconds: float, outcome: Outcome = "answered", opening: bool = False
) -> Sample:
    return Sample(at=at, milliseconds=milliseconds, opening=opening, outcome=outcome)


def test_steps_are_quarters_up_to_all_typists() -> None:
    assert LoadPlan(typists=50, seconds=120).steps == (12, 25, 37, 50)
    assert LoadPlan(typists=2, seconds=120).steps == (1, 2)


def test_a_step_ends_where_the_next_begins() -> None:
    plan = LoadPlan(typists=50, seconds=120)
    assert [plan.step_at(s) for s in (0, 29.9, 30, 119.9, 120)] == [0, 0, 1, 3, None]


def test_requests_count_for_the_step_that_they_began_in() -> None:
    plan = LoadPlan(typists=4, seconds=40)
    samples = (
        sample(1, 5, opening=True),
        sample(2, 10),
        sample(3, 30),
        sample(4, 400, "superseded"),
        sample(10.5, 1000),
        sample(41, 20),
        sample(25, 7, "error"),
        sample(26, 8, "resync"),
    )
    recording = Recording(samples=samples, keys=6, characters=8, errors={"500 internal": 1})
    usage = ProcessUsage(cores=0.5, worker_cores=(0.5,), peak_megabytes=100)
    figures = compute(plan, recording, usage, store="memory", checkpoint="tiny")
    assert [step.requests for step in figures.steps] == [4, 0, 2, 1]
    assert figures.steps[0].delay.median == pytest.approx(30)
    assert figures.steps[1].delay.median is None
    assert figures.steps[0].superseded == 1
    assert figures.steps[2].errors == 1
    assert figures.steps[2].resyncs == 1
    assert figures.total.requests == 7
    assert figures.opening.delay.median == pytest.approx(5)
    assert figures.keystrokes_saved == pytest.approx(0.25)
