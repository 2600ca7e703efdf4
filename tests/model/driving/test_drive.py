"""The drive gives the bits of the reference, and stops where nobody waits."""

import select
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.driving.drive import ROUNDING, Drive, drives, least_raw
from model.driving.driven import DrivenDecoding, is_driven
from model.errors import ModelError, TextError
from model.served import Runtime
from tests.model.driving.fuzzing import finish, random_runtimes, run
from tests.tiny import save_primed_checkpoint

EAGER = Options(min_confidence=0.0, by_value=False)
TEXT = "def main(ab):\n    for x in names.items():\n        print(x, "


@pytest.fixture(scope="module")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> list[Runtime]:
    return random_runtimes(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(params=["primed", "plain"])
def runtime(request: pytest.FixtureRequest, runtimes: list[Runtime]) -> Runtime:
    primed, plain = runtimes
    return primed if request.param == "primed" else plain


@pytest.fixture
def drive(runtime: Runtime) -> Iterator[Drive]:
    opened = Drive([runtime], capacity=2)
    yield opened
    opened.close()


def decoding_of(
    drive: Drive, text: str, options: Options = EAGER, runtime: Runtime | None = None
) -> DrivenDecoding:
    """The decoding after a text, by the drive's first runtime or this; the caller submits it."""
    runtime = runtime or next(iter(drive.lanes))
    page = runtime.adaptation.page() if runtime.adaptation else None
    return DrivenDecoding(
        drive.lanes[runtime],
        options,
        (text,) if text else (),
        start=None,
        before=text,
        page=page,
        page_text=text,
    )


def submit(drive: Drive, *decodings: DrivenDecoding) -> None:
    for decoding in decodings:
        assert decoding.job is not None
        drive.submit(decoding.job)


@pytest.mark.parametrize("seed", range(4))
def test_typists_with_random_edits_and_options_get_what_a_fresh_computation_gives(
    runtimes: list[Runtime], seed: int
) -> None:
    assert run(runtimes, seed) > 0


def test_a_suggestion_that_takes_several_jobs_goes_on_where_the_last_one_ended(
    runtime: Runtime, drive: Drive
) -> None:
    options = replace(EAGER, max_chars=200, max_lines=20, indent=0, stop=("never",))
    jobs = 0
    for end in range(1, len(TEXT)):
        decoding = decoding_of(drive, TEXT[:end], options)
        while decoding.job is not None:
            submit(drive, decoding)
            drive.finish()
            drive.collect()
            decoding.take()
            jobs += 1
        assert decoding.candidate.completion() == complete(runtime, TEXT[:end], options).completion
    assert jobs > len(TEXT)


def test_more_jobs_than_slots_are_all_computed(runtime: Runtime, drive: Drive) -> None:
    texts = [TEXT[:end] for end in range(1, len(TEXT), 3)]
    decodings = [decoding_of(drive, text) for text in texts]
    submit(drive, *decodings)
    finish(drive, decodings)
    for text, decoding in zip(texts, decodings, strict=True):
        assert decoding.candidate.completion() == complete(runtime, text, EAGER).completion


def test_an_abandoned_job_ends_before_its_next_step(drive: Drive) -> None:
    left, waited_for = decoding_of(drive, "abc " * 2000), decoding_of(drive, TEXT)
    assert left.job is not None
    left.job.abandon()
    submit(drive, left, waited_for)
    drive.finish()
    assert len(drive.collect()) == 2
    assert left.job.structure.steps_computed == 0
    left.take()
    assert not left.page_read
    waited_for.take()
    assert waited_for.steps_computed >= len(TEXT)


def test_a_thread_computes_what_is_submitted_while_it_runs(runtimes: list[Runtime]) -> None:
    drive = Drive(runtimes, capacity=3)
    thread = threading.Thread(target=drive.run)
    thread.start()
    expected = {}
    for number in range(60):
        text = TEXT[: number % len(TEXT)]
        runtime = runtimes[number % 2]
        decoding = decoding_of(drive, text, runtime=runtime)
        expected[decoding.job] = decoding, complete(runtime, text, EAGER).completion
        submit(drive, decoding)
    while expected:
        readable, _, _ = select.select([drive.done_fd], [], [], 30)
        assert readable, "the drive never told that it was done"
        for job in drive.collect():
            decoding, completion = expected.pop(job)
            decoding.take()
            assert decoding.candidate.completion() == completion
    assert drive.pending == []
    drive.stop()
    thread.join(30)
    assert not thread.is_alive()
    drive.close()


def test_a_drive_stops_in_the_middle_of_a_long_text(drive: Drive) -> None:
    submit(drive, decoding_of(drive, "abc " * 100_000))
    thread = threading.Thread(target=drive.run)
    thread.start()
    drive.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert len(drive.pending) == 1


def test_a_job_whose_kept_steps_name_no_id_fails_alone(runtime: Runtime, drive: Drive) -> None:
    failing, other = decoding_of(drive, TEXT), decoding_of(drive, TEXT)
    assert failing.job is not None
    failing.job._ids[3] = 10_000
    submit(drive, failing)
    drive.finish()
    drive.collect()
    with pytest.raises(ModelError):
        failing.take()
    submit(drive, other)
    finish(drive, [other])
    assert other.candidate.completion() == complete(runtime, TEXT, EAGER).completion


def test_a_character_that_cannot_be_spelt_is_refused_before_anything_is_computed(
    tmp_path: Path,
) -> None:
    runtime = Runtime(load(save_primed_checkpoint(tmp_path / "primed")))
    drive = Drive([runtime], capacity=1)
    with pytest.raises(TextError):
        decoding_of(drive, "\ud800")
    assert drive.pending == []
    drive.close()


@pytest.mark.parametrize("confidence", [0.0, 0.05, 0.3, 0.9, 1.0])
def test_the_least_raw_probability_leaves_out_nothing_that_is_confident_enough(
    runtimes: list[Runtime], confidence: float
) -> None:
    for runtime in runtimes:
        least = least_raw(runtime, confidence)
        for raw in (least * (1 - ROUNDING) * share for share in (0, 0.5, 0.999)):
            assert raw == 0 or runtime.calibration(raw) < confidence


@pytest.mark.parametrize(
    "options",
    [
        replace(EAGER, n=2),
        replace(EAGER, temperature=0.5),
        replace(EAGER, trigger="manual"),
        replace(EAGER, top_each=3),
    ],
)
def test_what_is_rare_is_left_to_the_step_by_step_path(options: Options) -> None:
    assert is_driven(EAGER)
    assert not is_driven(options)


def test_a_runtime_without_c_is_left_to_the_step_by_step_path(tmp_path: Path) -> None:
    checkpoint = load(save_primed_checkpoint(tmp_path / "primed"))
    assert not drives(Runtime(checkpoint, backend="numpy"))
    assert drives(Runtime(checkpoint))
