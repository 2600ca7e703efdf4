"""The verb evaluate: which texts it reads, and the form of what it reports."""

import json
from pathlib import Path

import pytest

from model.checkpoint import load
from model.decoding.options import Options
from model.served import Runtime
from tests.cli.command import Command
from training.evaluation.evaluation import evaluate


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of texts, and of files that are no texts."""
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    (folder / ".hidden").write_text("passed over")
    (folder / "a.py").write_bytes(b"def f(x):\r\n    return x\r\n" * 3)
    (folder / "inner" / "b.txt").write_text("caf\N{LATIN SMALL LETTER E WITH ACUTE} x", "utf-8")
    (folder / "empty.txt").touch()
    (folder / "z.bin").write_bytes(b"\xff\xfe")
    return folder


def test_each_file_is_a_document_of_its_own(
    command: Command, checkpoint: Path, texts: Path
) -> None:
    outcome = command("evaluate", checkpoint, texts, "--json", "-")
    assert outcome.status == 0
    said = json.loads(outcome.out)
    named = [
        (str(texts / name), (texts / name).read_bytes().decode().replace("\r\n", "\n"))
        for name in ("a.py", "inner/b.txt")
    ]
    direct = evaluate(Runtime(load(checkpoint)), named, Options()).to_json()
    assert said.keys() == direct.keys()
    del said["milliseconds_per_suggestion"], direct["milliseconds_per_suggestion"]
    assert said == direct
    assert "passed over" in outcome.err
    assert "z.bin: not UTF-8: byte 0xff at offset 0" in outcome.err


def test_the_figures_have_the_names_and_ranges_that_were_agreed(
    command: Command, checkpoint: Path, texts: Path
) -> None:
    arguments = ("evaluate", checkpoint, texts / "a.py", "--min-confidence", 0, "--json", "-")
    said = json.loads(command(*arguments).out)
    # A line end is one character, although it is two in this file.
    assert said["characters"] == 69
    assert said["bits_per_character"] > 0
    assert said["keystrokes_saved"] == 1 - said["keys"] / said["characters"]
    assert 0 <= said["accepted"] <= 1
    assert 0 < said["shown"] <= 1
    assert 0 <= said["calibration_error"] <= 1
    time = said["milliseconds_per_suggestion"]
    assert 0 < time["median"] <= time["p95"]
    assert [document["name"] for document in said["documents"]] == [str(texts / "a.py")]


def test_only_the_first_characters_of_each_file_are_taken(
    command: Command, checkpoint: Path, texts: Path
) -> None:
    said = json.loads(
        command("evaluate", checkpoint, texts, "--max-characters", 5, "--json", "-").out
    )
    assert [document["characters"] for document in said["documents"]] == [5, 5]


def test_include_picks_files_of_folders(command: Command, checkpoint: Path, texts: Path) -> None:
    said = json.loads(
        command("evaluate", checkpoint, texts, "--include", "*.py", "--json", "-").out
    )
    assert [document["name"] for document in said["documents"]] == [str(texts / "a.py")]


def test_the_table_shows_every_document_and_all(
    command: Command, checkpoint: Path, texts: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    outcome = command("evaluate", checkpoint, texts / "a.py", "--json", figures)
    assert "all" in outcome.out
    assert "bits" in outcome.out
    said = json.loads(figures.read_text("utf-8"))
    assert f"{said['bits_per_character']:.3f}" in outcome.out


def test_the_options_of_a_request_change_the_figures(
    command: Command, checkpoint: Path, texts: Path
) -> None:
    arguments = ("evaluate", checkpoint, texts, "--json", "-")
    every, none = (
        json.loads(command(*arguments, "--min-confidence", least, "--max-chars", 4).out)
        for least in (0, 1)
    )
    assert every["shown"] > none["shown"]
    assert (every["min_confidence"], every["max_chars"]) == (0, 4)


def test_figures_are_recorded_in_the_card(command: Command, tmp_path: Path, texts: Path) -> None:
    folder = tmp_path / "mine"
    (tmp_path / "text.txt").write_text("some words of text\n" * 50)
    train = ("train", tmp_path / "text.txt", "--out", folder, "--preset", "tiny", "--steps", 5)
    assert command(*train).status == 0
    before = load(folder)
    outcome = command("evaluate", folder, texts / "a.py", "--record", "--json", "-")
    assert outcome.status == 0
    said, after = json.loads(outcome.out), load(folder)
    assert after.fingerprint == before.fingerprint
    assert after.training["metrics"]["keystrokes_saved"] == said["keystrokes_saved"]
    assert f"| bits a character | {said['bits_per_character']:.3f} |" in (
        folder / "README.md"
    ).read_text("utf-8")


def test_no_figures_are_recorded_where_no_training_is_described(
    command: Command, checkpoint: Path, texts: Path
) -> None:
    outcome = command("evaluate", checkpoint, texts / "a.py", "--record")
    assert outcome.status == 2
    assert "no training is described" in outcome.err
    assert not (checkpoint / "README.md").exists()
