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
