"""A run that is saved goes on as if it had never been interrupted."""

import json
import signal
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import save as serialize

from model.checkpoint import load
from model.network.config import NetworkConfig
from model.vocabulary import Vocabulary
from tests.training.quiet import quiet
from tests.training.small import SMALL as PRESET
from training.backpropagation.steps import TrainingStep
from training.corpus import Corpus, Document
from training.errors import ResumeError
from training.loop import saved_run
from training.loop.history import History
from training.loop.options import RunOptions
from training.loop.run import TABLE_WARM_UP_IDS, Run
from training.loop.schedule import Budget
from training.loop.streams import EncodedDocuments
from training.loop.train import train
from training.presets import Preset
from training.reporting.progress import Progress

TEXT = "the quick brown fox jumps over the lazy dog\n"
PLAIN = replace(PRESET, contexts=(), context_width=0, context_bits=0, context_rows=0)
CORPUS = Corpus(
    train=tuple(Document(Path("t"), str(i), TEXT * (20 + i)) for i in range(9)),
    validation=(Document(Path("v"), "v", TEXT * 10),),
)


def new_run(preset: Preset = PRESET) -> Run:
    torch.set_num_threads(1)
    config = NetworkConfig(
        preset.cell,
        1,
        preset.hidden,
        "".join(sorted(set(TEXT))),
        contexts=preset.contexts,
        context_width=preset.context_width,
        context_bits=preset.context_bits,
    )
    return Run(config, preset, encoded(config.vocabulary()), seed=1)


def encoded(vocabulary: Vocabulary) -> EncodedDocuments:
    return EncodedDocuments([vocabulary.encode(d.text) for d in CORPUS.train])


def stored_run(file: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The metadata and the arrays in a saved run's file."""
    with safe_open(file, framework="np") as stored:
        described = json.loads(stored.metadata()["run"])
        return described, {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118


def advance(run: Run, steps: int) -> None:
    step = TrainingStep(run, torch.float32)
    while steps:
        for window in run.windows():
            step(window, 1e-2)
            run.step += 1
            steps -= 1
            if not steps:
                break


@pytest.mark.parametrize("contexts", [True, False])
@pytest.mark.parametrize("before", [0, 7, 80])
def test_a_resumed_run_ends_where_the_uninterrupted_one_does(
    before: int, contexts: bool, tmp_path: Path
) -> None:
    preset = PRESET if contexts else PLAIN
    whole = new_run(preset)
    advance(whole, before)
    saved_run.save(whole, tmp_path / "run")
    advance(whole, 40)
    resumed = new_run(preset)
    saved_run.load(resumed, tmp_path / "run")
    advance(resumed, 40)
    assert resumed.step == whole.step
    assert resumed.reading.epochs == whole.reading.epochs > (1 if before == 80 else 0)
    expected = whole.network.weights()
    for name, array in resumed.network.weights().items():
        np.testing.assert_array_equal(array, expected[name])


def test_a_run_on_other_text_or_with_other_settings_is_refused(tmp_path: Path) -> None:
    saved_run.save(new_run(), tmp_path / "run")
    with pytest.raises(ResumeError, match="another preset"):
        saved_run.load(new_run(replace(PRESET, learning_rate=0.5)), tmp_path / "run")
    with pytest.raises(ResumeError, match="another network"):
        saved_run.load(new_run(replace(PRESET, hidden=48)), tmp_path / "run")
    (tmp_path / "other").write_text("nothing")
    with pytest.raises(ResumeError, match="no saved run"):
        saved_run.load(new_run(), tmp_path / "other")


def test_the_same_command_goes_on_and_then_only_finishes(tmp_path: Path) -> None:
    out, file = tmp_path / "checkpoint", tmp_path / "run"

    def until(steps: int) -> int:
        history = train(
            CORPUS,
            out,
            PRESET,
            Budget(steps=steps),
            RunOptions(threads=1, minimum_count=1, resume=file),
            quiet(),
        )
        return history.measurements[-1].step

    assert until(20) == 20
    assert until(50) == 50
    fingerprint = load(out).fingerprint
    assert until(50) == 50
    assert load(out).fingerprint == fingerprint
    assert load(out).config.contexts == PRESET.contexts


class InterruptedAtOnce(StringIO):
    """A standard error that acts as if the user pressed Ctrl-C when the first attempt begins."""

    def write(self, text: str, /) -> int:
        if not self.getvalue():
            super().write(text)
            signal.raise_signal(signal.SIGINT)
            return len(text)
        return super().write(text)


def test_a_run_that_was_interrupted_ends_as_any_other_when_it_is_resumed(tmp_path: Path) -> None:
    said = InterruptedAtOnce()

    def attempt() -> History:
        options = RunOptions(threads=1, minimum_count=1, resume=tmp_path / "run")
        progress = Progress(Console(file=said, width=200))
        return train(CORPUS, tmp_path / "out", PLAIN, Budget(steps=20), options, progress)

    first = attempt()
    assert first.interrupted
    assert first.measurements[-1].step == 0
    assert said.getvalue().splitlines()[-1].startswith("interrupted: ")

    resumed = attempt()
    assert not resumed.interrupted
    assert resumed.measurements[-1].step == 20
    assert resumed.measurements[0].validation_bits == first.measurements[0].validation_bits
    assert said.getvalue().splitlines()[-1].startswith("done: ")


def test_how_an_earlier_attempt_ended_is_not_read_from_its_file(tmp_path: Path) -> None:
    run = new_run()
    advance(run, 3)
    run.history.interrupted = run.history.stopped_early = True
    saved_run.save(run, tmp_path / "run")
    described, arrays = stored_run(tmp_path / "run")
    assert described["history"].keys() == {"epochs", "recent_bits", "recent_norm"}
    # Files of earlier versions hold it.
    described["history"] |= {"interrupted": True, "stopped_early": True}
    (tmp_path / "run").write_bytes(serialize(arrays, {"run": json.dumps(described)}))
    again = new_run()
    saved_run.load(again, tmp_path / "run")
    assert again.reading.epochs == 1
    assert not again.history.interrupted
    assert not again.history.stopped_early


@pytest.mark.parametrize(("readings", "begun"), [(0.5, 1), (1.0, 1), (2.4, 3)])
def test_the_last_reading_of_the_text_is_a_whole_one(readings: float, begun: int) -> None:
    run = new_run()
    steps = []
    advance(run, 1)
    run.reading.plan(readings)
    assert run.reading.planned_epochs == begun
    for _ in range(begun):
        before = run.step
        for _ in run.windows():
            run.step += 1
        steps.append(run.step - before)
    assert run.reading.completed == begun
    assert steps[-1] + (begun == 1) == pytest.approx(run.reading.steps_per_epoch, rel=0.03)
    if begun > 1:
        assert steps[0] + 1 == pytest.approx(0.4 * run.reading.steps_per_epoch, abs=1)


def test_the_tables_take_part_in_the_last_readings_alone() -> None:
    run = new_run(replace(PRESET, table_readings=1))
    assert run.network.contexts is not None
    rows = run.network.contexts.rows
    run.reading.plan(3)
    step = TrainingStep(run, torch.float32)
    learnt = []
    for _ in range(3):
        for window in run.windows():
            step(window, 1e-2)
        learnt.append(bool(rows.any()))
    assert learnt == [False, False, True]


def test_the_tables_rate_rises_where_a_reading_begins() -> None:
    run = new_run()
    window = run.reading.streams * PRESET.window
    rates = [run.table_rate for _ in run.windows()]
    begun = -(-TABLE_WARM_UP_IDS // window)
    assert rates[0] == pytest.approx(PRESET.table_rate * 2 * window / TABLE_WARM_UP_IDS)
    assert rates[: begun - 1] == sorted(set(rates[: begun - 1]))
    assert set(rates[begun - 1 :]) == {PRESET.table_rate}


def test_a_run_ends_when_the_text_was_read_as_often_as_asked(tmp_path: Path) -> None:
    history = train(
        CORPUS,
        tmp_path / "checkpoint",
        PRESET,
        Budget(epochs=2, minutes=5),
        RunOptions(threads=1, minimum_count=1, resume=tmp_path / "run"),
        quiet(),
    )
    assert stored_run(tmp_path / "run")[0]["history"]["epochs"] == 2
    assert history.measurements[-1].characters == pytest.approx(2 * CORPUS.characters, rel=0.02)


def test_a_text_is_read_again_from_a_checkpoint(tmp_path: Path) -> None:
    train(CORPUS, tmp_path / "once", PRESET, Budget(steps=120), RunOptions(threads=1), quiet())
    base = load(tmp_path / "once")
    gentle = replace(PRESET, learning_rate=1e-4, decay="linear")
    run = Run(base.config, gentle, encoded(base.vocabulary), seed=1, base=base)
    assert run.network.contexts is not None
    assert not run.network.contexts.rows.any()
    assert (run.network.contexts.kept.kept == base.weights["contexts.kept"]).all()
    assert (run.network.layers()[0].W.detach().numpy() == base.weights["cells.0.W"]).all()
    again = train(
        CORPUS,
        tmp_path / "again",
        gentle,
        Budget(steps=40),
        RunOptions(preset_name="gentle", threads=1, base=base),
        quiet(),
    )
    alone = train(
        CORPUS, tmp_path / "new", gentle, Budget(steps=40), RunOptions(threads=1), quiet()
    )
    assert again.best.validation_bits < alone.best.validation_bits - 1
    assert load(tmp_path / "again").vocabulary.characters == base.vocabulary.characters
    card = (tmp_path / "again/README.md").read_text()
    assert "Preset `default`" in card
    assert "Then, with empty tables: Preset `gentle`" in card


def test_tables_are_learnt_anew_beside_recurrent_layers_that_stay(tmp_path: Path) -> None:
    few, frozen = replace(PRESET, context_rows=100), replace(PRESET, frozen=True)
    train(CORPUS, tmp_path / "once", few, Budget(steps=20), RunOptions(threads=1), quiet())
    base = load(tmp_path / "once")
    assert len(base.weights["contexts.rows"]) == 100

    for steps in (6, 12):
        history = train(
            CORPUS,
            tmp_path / "tables",
            frozen,
            Budget(steps=steps),
            RunOptions(threads=1, base=base, resume=tmp_path / "saved.run"),
            quiet(),
        )
        assert history.measurements[-1].step == steps
    assert len(load(tmp_path / "tables").weights["contexts.rows"]) > 100
    run = Run(base.config, frozen, encoded(base.vocabulary), seed=1, base=base)
    saved_run.load(run, tmp_path / "saved.run")
    for name, parameter in run.network.named_parameters():
        same = (parameter.detach().numpy() == base.weights[name]).all()
        assert same == name.startswith("cells."), name
    learnt = run.network.output.weight.detach().numpy() != base.weights["output.weight"]
    assert learnt[:, : PRESET.hidden].any()


def test_a_saved_run_goes_on_from_its_own_base_alone(tmp_path: Path) -> None:
    for name in ("first", "second"):
        seed = len(name)
        out = tmp_path / name
        train(CORPUS, out, PRESET, Budget(steps=5), RunOptions(seed=seed, threads=1), quiet())

    def go_on(base: str | None, steps: int) -> None:
        train(
            CORPUS,
            tmp_path / "again",
            PRESET,
            Budget(steps=steps),
            RunOptions(
                threads=1,
                resume=tmp_path / "run",
                base=None if base is None else load(tmp_path / base),
            ),
            quiet(),
        )

    go_on("first", 4)
    go_on("first", 8)
    assert load(tmp_path / "again").training["before"]["steps"] <= 5
    for other in ("second", None):
        with pytest.raises(ResumeError, match="another base"):
            go_on(other, 12)


def test_a_run_that_was_saved_before_presets_said_more_goes_on(tmp_path: Path) -> None:
    run = new_run()
    advance(run, 3)
    saved_run.save(run, tmp_path / "run")
    described, arrays = stored_run(tmp_path / "run")
    del described["preset"]["decay"], described["preset"]["late"], described["base"]
    (tmp_path / "run").write_bytes(serialize(arrays, {"run": json.dumps(described)}))
    again = new_run()
    saved_run.load(again, tmp_path / "run")
    assert again.characters == run.characters


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    train(CORPUS, tmp_path / "once", PRESET, Budget(steps=2), RunOptions(threads=1), quiet())
    other = replace(PRESET, hidden=64)
    with pytest.raises(ResumeError, match="another shape than preset default"):
        train(
            CORPUS,
            tmp_path / "again",
            other,
            Budget(steps=2),
            RunOptions(base=load(tmp_path / "once")),
            quiet(),
        )
    assert not (tmp_path / "again").exists()


def test_recurrent_layers_stay_only_where_they_have_learnt(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="name a network that has learnt with --again"):
        train(CORPUS, tmp_path / "new", replace(PRESET, frozen=True), Budget(steps=2))
    assert not (tmp_path / "new").exists()
