"""In a few hundred steps of typing and faults, each answer is that of a fresh computation."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.invariant.machine import Invariant, run_invariant
from tests.invariant.recorded import read, replay
from tests.invariant.stage import Stage
from tests.invariant.typist import Mismatch, RandomTypist, SoakTally, Wish
from tests.tiny import save_primed_checkpoint, save_tiny_checkpoint

EXAMPLES = 6
STEPS = 50


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("invariant")
    checkpoints = [
        save_primed_checkpoint(folder / "adapting"),
        save_tiny_checkpoint(folder / "tiny"),
    ]
    with Stage(folder, checkpoints) as stage:
        yield stage


def test_every_answer_is_that_of_a_fresh_computation_whatever_happens(stage: Stage) -> None:
    Invariant.stage, Invariant.tally = stage, SoakTally()
    run_invariant(EXAMPLES, STEPS)
    tally = Invariant.tally
    assert tally.steps > 200
    assert tally.mismatches == tally.server_errors == 0
    assert "Error" not in stage.log


@pytest.mark.parametrize("as_edit", [False, True])
def test_recorded_typing_is_answered_as_a_fresh_computation_would(
    stage: Stage, root: Path, as_edit: bool
) -> None:
    recording = root / "tests/invariant/recordings/sveltecomponent-extract.json"
    tally = SoakTally()
    typist = RandomTypist(stage, tally, f"recorded-{as_edit}")

    async def type_it() -> int:
        pauses = await replay(typist, read(recording, 10_000), as_edit)
        await typist.close()
        return pauses

    pauses = stage.loop.run_until_complete(type_it())
    assert tally.compared == pauses > 100
    assert tally.mismatches == tally.server_errors == 0


def test_a_recording_leads_to_its_end(root: Path) -> None:
    recording = root / "tests/invariant/recordings/sveltecomponent-extract.json"
    text = ""
    for key in read(recording, 10_000):
        text = text[: key.keep] + key.append
    assert json.loads(recording.read_text("utf-8"))["endContent"].startswith(text)


def test_an_answer_of_another_text_is_noticed(stage: Stage) -> None:
    Invariant.stage, Invariant.tally = stage, SoakTally()
    machine = Invariant()
    machine.type(1, "abc", False, Wish())
    typist = machine.typists[1]
    typist.text = "xyz"
    with pytest.raises(Mismatch):
        machine.resend(1)
    machine.teardown()
    assert Invariant.tally.mismatches == 1
