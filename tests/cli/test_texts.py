"""The verb texts: mistakes that it finds before it fetches anything, and what it lists."""

from pathlib import Path

import pytest

from tests.cli.command import Command
from training.texts.library import read_library
from training.texts.manifest import Share, describe, write


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--only", "prose"], "--prose: name the folder of prose corpora"),
        ([], "--prose: name the folder of prose corpora, or say --only python"),
        (["--only", "prose", "--prose", "nowhere"], "nowhere/validation: no such file or folder"),
        (["--prose", "nowhere"], "nowhere/validation: no such file or folder"),
        (
            ["--describe", "python"],
            "manifest.json: No such file or directory; nextchar texts",
        ),
        (
            ["--only", "python", "--sources", "nowhere.toml"],
            "nowhere.toml: No such file or directory",
        ),
        (["--only", "python", "--share", "2"], "--share: 2.0 is not above 0 and at most 1"),
        (["--only", "code"], "Invalid value for '--only'"),
    ],
)
def test_the_command_says_what_is_wrong_and_exits_2(
    command: Command, tmp_path: Path, options: list[str], error: str
) -> None:
    outcome = command("texts", tmp_path / "out", *options)
    assert (outcome.status, outcome.out) == (2, "")
    assert error in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_where_the_texts_go_must_be_named(command: Command) -> None:
    outcome = command("texts", "--only", "python")
    assert outcome.status == 2
    assert "Missing argument 'OUT'" in outcome.err


def test_the_librarys_held_out_files_are_listed(command: Command) -> None:
    outcome = command("texts", "--held-out")
    assert (outcome.status, outcome.err) == (0, "")
    expected = [str(document.file) for document in read_library().validation]
    assert outcome.out.splitlines() == expected


def test_a_corpus_that_was_made_is_described(command: Command, tmp_path: Path) -> None:
    write(tmp_path, [Share("python/train", "web", "1.0", "MIT", 3, 2_000_000)])
    outcome = command("texts", tmp_path, "--describe", "python")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == describe(tmp_path, "python") + "\n"
    assert "by `nextchar texts`: web 1.0 (MIT, 2.0 M)." in outcome.out
