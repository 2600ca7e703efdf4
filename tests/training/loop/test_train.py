import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime
from tests.training.quiet import quiet
from training.corpus import Corpus, Selection, read
from training.loop.options import RunOptions
from training.loop.schedule import Budget
from training.loop.train import train
from training.presets import PRESETS, Preset
from training.reporting.progress import Progress

LINE = "the quick brown fox jumps over the lazy dog\n"
PRESET = replace(PRESETS["tiny"], hidden=32, learning_rate=2e-2, streams=4)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    file = tmp_path / "text.txt"
    file.write_text(LINE * 200)
    return read([file], Selection())


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_a_network_learns_a_line_that_repeats(cell: str, corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    preset: Preset = replace(PRESET, cell=cell)
    history = train(corpus, out, preset, Budget(steps=250), RunOptions(threads=1), quiet())
    assert history.best.validation_bits < 0.5
    runtime = Runtime(load(out))
    answer = complete(runtime, LINE + "the quick br", Options(max_chars=10, min_confidence=0.1))
    assert answer.completion.text == "own fox ju"


def test_a_run_leaves_a_checkpoint_with_its_card_its_summary_and_its_curve(
    corpus: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    said = StringIO()
    train(
        corpus,
        out,
        PRESET,
        Budget(steps=30),
        RunOptions(preset_name="tiny", data="A line, again and again (public domain)."),
        Progress(Console(file=said, width=200)),
    )
    names = ["README.md", "config.json", "loss.png", "model.safetensors"]
    assert sorted(f.name for f in out.iterdir()) == names
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    card = (out / "README.md").read_text()
    assert card.startswith("# mine\n")
    assert "A line, again and again (public domain)." in card
    summary = json.loads((out / "config.json").read_text())["training"]
    assert summary["train_characters"] == corpus.characters
    assert summary["steps"] == 30
    assert "a minute or two more" in said.getvalue()
    assert str(out) in said.getvalue().replace("\n", "")


def test_the_same_seed_gives_the_same_network(corpus: Corpus, tmp_path: Path) -> None:
    fingerprints = set()
    for name in ("first", "second"):
        train(corpus, tmp_path / name, PRESET, Budget(steps=20), RunOptions(threads=1), quiet())
        fingerprints.add(load(tmp_path / name).fingerprint)
    assert len(fingerprints) == 1


def test_training_that_makes_nothing_better_stops(corpus: Corpus, tmp_path: Path) -> None:
    still = replace(PRESET, learning_rate=0.0)
    history = train(corpus, tmp_path / "still", still, Budget(steps=2000), progress=quiet())
    assert history.stopped_early
    assert load(tmp_path / "still").config.hidden == 32


def test_ctrl_c_leaves_a_checkpoint_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(LINE * 200)
    out = tmp_path / "checkpoint"
    command = [sys.executable, "-m", "nextchar", "train", str(tmp_path / "text.txt")]
    command += ["--out", str(out), "--preset", "tiny", "--minutes", "30", "--threads", "1"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"}
    ) as process:
        assert process.stderr is not None
        assert "30 minutes" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert f"the checkpoint is in {out}" in rest
    assert "Traceback" not in rest
    assert load(out).config.hidden == 64
