"""The verb average: a new checkpoint from two, and nothing from mistakes."""

import json
import shutil
from pathlib import Path

import pytest

from model.checkpoint import load
from tests.cli.command import Command

LINE = "the quick brown fox jumps over the lazy dog\n"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("texts") / "text.txt"
    file.write_text(LINE * 100)
    return file


@pytest.fixture
def trained(command: Command, text: Path, tmp_path: Path) -> Path:
    """A checkpoint that has learnt a little of the text."""
    out = tmp_path / "trained"
    arguments = ("train", text, "--out", out, "--preset", "tiny", "--steps", 3, "--threads", 1)
    assert command(*arguments, "--minimum-count", 1).status == 0
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_mean_is_a_checkpoint_of_its_own(
    command: Command, trained: Path, text: Path, tmp_path: Path
) -> None:
    before, out = content(trained), tmp_path / "mean"
    arguments = ("average", trained, trained, text, "--validation", text, "--out", out)
    outcome = command(*arguments, "--share", 0.5, "--tables", 0.5, 0.5, "--json", tmp_path / "f")
    assert outcome.status == 0, outcome.err
    figures = json.loads((tmp_path / "f").read_text())
    made = load(out)
    assert figures["fingerprint"] == made.fingerprint
    assert figures["served_bits"] == made.training["quantization"]["served_bits"]
    assert outcome.out == (
        f"{out}: {figures['served_bits']:.4f} bits a character on held-out text, as served\n"
    )
    assert made.training["average"] == {"share": 0.5, "tables": [0.5, 0.5]}
    assert content(trained) == before


def test_the_mean_may_replace_one_of_the_two(
    command: Command, trained: Path, text: Path, tmp_path: Path
) -> None:
    second = Path(shutil.copytree(trained, tmp_path / "second"))
    arguments = ("average", trained, second, text, "--validation", text, "--out", trained)
    assert command(*arguments).status == 0
    assert load(trained).training["average"]["share"] == 0.75


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--share", "nan"), "--share: nan is not between 0 and 1"),
        (("--share", "-3"), "--share: -3.0 is not between 0 and 1"),
        (("--share", "1.5"), "--share: 1.5 is not between 0 and 1"),
        (("--share", "half"), "--share"),
        (("--tables", "0.4", "nan"), "--tables: nan is not between 0 and 1"),
        (("--tables", "0.4", "1.5"), "--tables: 1.5 is not between 0 and 1"),
        (("--tables", "0.4", "half"), "--tables"),
    ],
)
def test_a_share_that_is_none_changes_nothing(
    command: Command, checkpoint: Path, text: Path, options: tuple[str, ...], says: str
) -> None:
    before = content(checkpoint)
    arguments = ("average", checkpoint, checkpoint, text, "--validation", text)
    outcome = command(*arguments, "--out", checkpoint, *options)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err
    assert content(checkpoint) == before


def test_checkpoints_that_are_missing_are_named(
    command: Command, text: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    arguments = ("average", missing, missing, text, "--validation", text, "--out", tmp_path / "o")
    outcome = command(*arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "missing: no such checkpoint folder" in outcome.err


def test_a_checkpoint_whose_training_is_unknown_is_not_averaged(
    command: Command, checkpoint: Path, text: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mean"
    arguments = ("average", checkpoint, checkpoint, text, "--validation", text, "--out", out)
    outcome = command(*arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "does not tell how it was trained" in outcome.err
    assert not list(out.iterdir())
