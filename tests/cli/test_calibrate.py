"""The verb calibrate: it changes the checkpoint, its card and its diagram, and reports."""

import json
import os
from pathlib import Path

import pytest

from model.checkpoint import load
from model.served import Runtime
from tests.cli.command import Command


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.txt").write_text("abc def\nabc (x)\n" * (5 + number))
    return folder


def test_confidence_comes_from_what_was_right(command: Command, own: Path, texts: Path) -> None:
    before = load(own).fingerprint
    outcome = command("calibrate", own, texts, "--json", "-")
    assert outcome.status == 0, outcome.err
    said = json.loads(outcome.out)
    loaded = load(own)
    assert said["fingerprint"] == loaded.fingerprint != before
    assert said["knots"]["raw"] == list(Runtime(loaded).calibration.raw)
    assert said["documents"] == 4
    assert 0 <= said["error_after"] <= 1
    assert (own / "calibration.png").is_file()


def test_calibrating_again_begins_anew(command: Command, own: Path, texts: Path) -> None:
    once, again = (
        json.loads(command("calibrate", own, texts, "--json", "-").out) for _ in range(2)
    )
    assert once == again


def test_texts_that_are_none_are_refused(command: Command, own: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    outcome = command("calibrate", own, tmp_path / "empty.txt")
    assert outcome.status == 2
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("verb", [("calibrate",), ("evaluate", "--record")])
def test_a_folder_that_cannot_be_written_is_found_at_once(
    command: Command,
    own: Path,
    texts: Path,
    verb: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Root can write anywhere except where a folder is mounted read-only.
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    (texts / "latin.txt").write_bytes(b"\xff")
    outcome = command(*verb, own, texts)
    assert outcome.status == 2
    assert f"{own} cannot be written" in outcome.err
