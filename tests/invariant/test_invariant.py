"""A few hundred steps of everything that can happen: each answer is that of a fresh computation."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariant.machine import Invariant
from tests.invariant.stage import Stage
from tests.invariant.typist import Mismatch, Tally, Wish
from tests.tiny import save_tiny_checkpoint

EXAMPLES = 6
STEPS = 50


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("invariant")
    checkpoints = [save_tiny_checkpoint(folder / f"tiny-{seed}", seed=seed) for seed in (0, 1)]
    with Stage(folder, checkpoints) as stage:
        yield stage


@pytest.mark.timeout(300)
def test_every_answer_is_that_of_a_fresh_computation_whatever_happens(stage: Stage) -> None:
    Invariant.stage, Invariant.tally = stage, Tally()
    run_state_machine_as_test(
        Invariant,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    tally = Invariant.tally
    assert tally.steps > 200
    assert tally.mismatches == tally.server_errors == 0
    assert "Error" not in stage.log


@pytest.mark.timeout(60)
def test_an_answer_of_another_text_is_noticed(stage: Stage) -> None:
    Invariant.stage, Invariant.tally = stage, Tally()
    machine = Invariant()
    machine.type(1, "abc", False, Wish())
    typist = machine.typists[1]
    typist.text = "xyz"
    with pytest.raises(Mismatch):
        machine.resend(1)
    machine.teardown()
    assert Invariant.tally.mismatches == 1
