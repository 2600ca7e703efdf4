"""The verb train: from text to a checkpoint that the other verbs take."""

import json
from pathlib import Path

from model.checkpoint import load
from tests.cli.command import Command


def test_a_trained_checkpoint_can_be_evaluated(command: Command, tmp_path: Path) -> None:
    texts, out = tmp_path / "texts", tmp_path / "mine"
    texts.mkdir()
    for number in range(3):
        (texts / f"{number}.txt").write_text(f"hello hello {number}\n" * 60)
    (texts / "other.md").write_text("left out " * 60)
    trained = command(
        "train", texts, "--out", out, "--preset", "tiny", "--steps", 12,
        "--include", "*.txt", "--skip", "2.*", "--validation", texts / "2.txt",
        "--minimum-count", 50, "--data", "greetings, ours", "--seed", 3, "--threads", 1,
    )  # fmt: skip
    assert trained.status == 0
    assert str(out) in trained.err.replace("\n", "")
    checkpoint = load(out)
    assert checkpoint.config.hidden == 64
    assert checkpoint.training["data"] == "greetings, ours"
    assert checkpoint.training["train_documents"] == 2
    evaluated = command("evaluate", out, texts / "2.txt", "--json", "-")
    assert json.loads(evaluated.out)["model"] == "mine"


def test_a_folder_of_other_files_is_not_trained_into(command: Command, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("mine")
    (tmp_path / "text.txt").write_text("some words of text\n" * 50)
    outcome = command("train", tmp_path / "text.txt", "--out", mine, "--steps", 1)
    assert outcome.status == 2
    assert "holds other files and no checkpoint" in outcome.err
    assert [f.read_text() for f in mine.iterdir()] == ["mine"]


def test_a_run_goes_on_from_its_file_and_ends_after_a_reading(
    command: Command, tmp_path: Path
) -> None:
    texts, late = tmp_path / "text.txt", tmp_path / "late.txt"
    texts.write_text("some words of text\n" * 400)
    late.write_text("what matters most\n" * 200)
    arguments = (
        "train", texts, "--late", late, "--validation", late, "--out", tmp_path / "out",
        "--preset", "tiny", "--threads", 1, "--resume", tmp_path / "run",
    )  # fmt: skip
    assert command(*arguments, "--steps", 5).status == 0
    assert load(tmp_path / "out").training["steps"] == 5
    assert command(*arguments, "--epochs", 1).status == 0
    summary = load(tmp_path / "out").training
    assert summary["train_documents"] == 2
    assert summary["epochs"] == 1
    assert 0.9 < summary["characters_read"] / summary["train_characters"] <= 1
    other = command(*arguments[:-2], "--seed", 2, "--resume", texts, "--steps", 5)
    assert other.status == 2
    assert f"{texts}: no saved run" in other.err


def test_where_a_run_cannot_be_saved_is_said_before_it_trains(
    command: Command, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("some words of text\n" * 400)
    for place in (tmp_path, tmp_path / "none" / "run"):
        refused = command(
            "train", text, "--out", tmp_path / "out", "--preset", "tiny", "--resume", place
        )
        assert refused.status == 2
        assert refused.err.startswith(f"nextchar: {place}: a run cannot be saved there")
        assert not list((tmp_path / "out").iterdir())


def test_what_a_run_begins_with_is_not_what_it_writes(
    command: Command, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("hello\n" * 50)
    outcome = command(
        "train", tmp_path / "text.txt", "--again", checkpoint, "--out", checkpoint, "--steps", 1
    )
    assert outcome.status == 2
    assert "--again" in outcome.err
    assert outcome.err.count("\n") == 1
