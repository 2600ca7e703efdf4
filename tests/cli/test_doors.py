"""Texts and checkpoints as people have them: names of any bytes, pipes, empty and unreadable files.

The command runs in a process of its own, whose standard output takes nothing but UTF-8.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model.checkpoint import load
from tests.cli.command import CommandResult, Start
from tests.tiny import save_tiny_checkpoint

# The file name caf\xe9.py, in Latin-1, as Python holds it.
LATIN = os.fsdecode(b"caf\xe9.py")
TEXT = "some words of text\n" * 50
TRAINING = ("--preset", "tiny", "--steps", 3, "--threads", 1)

Run = Callable[..., CommandResult]


@pytest.fixture
def run(start: Start) -> Run:
    """Runs the command; `stdin` is what comes to it by a pipe."""

    def run(*arguments: object, stdin: str = "") -> CommandResult:
        process = start(*arguments, PYTHONIOENCODING="utf-8:strict")
        out, err = process.communicate(stdin.encode(), timeout=200)
        said = out.decode("utf-8", "surrogateescape")
        return CommandResult(process.returncode, said, err.decode())

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "texts"
    made.mkdir()
    for number in range(3):
        (made / f"{number}.txt").write_text(TEXT)
    return made


def test_names_that_are_not_utf8_are_trained_on_and_into(run: Run, folder: Path) -> None:
    (folder / LATIN).write_text(TEXT)
    (folder / f"broken-{LATIN}").write_bytes(b"caf\xe9")
    out = folder.parent / os.fsdecode(b"mine-\xe9")
    trained = run(
        "train", folder, "--out", out, *TRAINING, "--resume", folder.parent / f"run-{LATIN}",
        "--data", os.fsdecode(b"caf\xe9, ours"),
    )  # fmt: skip
    assert trained.status == 0, trained.err
    shown = trained.err.replace("\n", "")
    assert r"broken-caf\xe9.py: not UTF-8" in shown
    assert shown.endswith(r"mine-\xe9")
    assert (out / "README.md").read_text("utf-8").startswith("# mine-\\xe9\n")
    checkpoint = load(out)
    assert (checkpoint.name, checkpoint.training["data"]) == (r"mine-\xe9", r"caf\xe9, ours")
    assert checkpoint.training["train_documents"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{C}", "{T}"),
        ("evaluate", "{C}", "{T}", "--json", "-"),
        ("evaluate", "{C}", "{T}", "--json", "{T}.json"),
        ("score", "--checkpoint", "{C}", "{T}", "--json", "-"),
        ("complete", "--checkpoint", "{C}", "--suffix-file", "{T}"),
        ("prime", "{C}", "{T}"),
        ("units", "{C}", "{T}", "--picture", "{T}.png"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_verb_stumbles_over_a_name_that_is_not_utf8(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / os.fsdecode(b"mine-\xe9"))
    text = tmp_path / LATIN
    text.write_text("some words of text\n" * 300)
    outcome = run(*(part.format(C=checkpoint, T=text) for part in arguments))
    assert outcome.status == 0, outcome.err
    outcome.out.encode()


def test_what_is_listed_can_be_opened(run: Run, folder: Path) -> None:
    (folder / LATIN).write_text(TEXT)
    sides = [run("corpus", folder, "--split", side).out for side in ("train", "validation")]
    listed = "".join(sides).splitlines()
    assert str(folder / LATIN) in listed
    assert all(Path(file).is_file() for file in listed)


def test_a_mistake_shows_a_name_that_is_not_utf8(run: Run, tmp_path: Path) -> None:
    outcome = run("complete", "--checkpoint", tmp_path / LATIN)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"nextchar: {tmp_path}/caf\\xe9.py: no such checkpoint folder\n"


@pytest.mark.parametrize("named", ["empty.txt", "empties"])
def test_validation_without_text_is_one_line_and_leaves_no_folder(
    run: Run, folder: Path, named: str
) -> None:
    root = folder.parent
    (root / "empties").mkdir()
    for empty in (root / "empty.txt", root / "empties" / "one.txt"):
        empty.touch()
    outcome = run("train", folder, "--validation", root / named, "--out", root / "out", *TRAINING)
    assert outcome.status == 2
    assert outcome.err == f"nextchar: --validation: {root / named}: no text to measure on\n"
    assert not (root / "out").exists()


def test_an_empty_file_beside_others_is_no_document(run: Run, folder: Path) -> None:
    for number in range(60):
        (folder.parent / f"{number}.txt").touch()
    empties = sorted(folder.parent.glob("*.txt"))
    out = folder.parent / "out"
    outcome = run("train", folder / "0.txt", *empties, "--out", out, *TRAINING)
    assert outcome.status == 0, outcome.err
    assert load(out).training["validation_documents"] == 1


def test_a_folder_of_other_encodings_says_which_files_and_why(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(4):
        (texts / f"latin{number}.txt").write_bytes("naïve\n".encode("latin-1") * 99)
    (texts / "wide.txt").write_bytes("words\n".encode("utf-16") * 99)
    outcome = run("train", texts, "--out", tmp_path / "out", *TRAINING)
    assert outcome.status == 2
    assert outcome.err.startswith(f"nextchar: {texts}: 0 characters to train on")
    for number in range(3):
        assert f"{texts}/latin{number}.txt: not UTF-8: byte 0xef at offset 2" in outcome.err
    assert outcome.err.endswith("; and 2 more files\n")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_text_that_comes_by_a_pipe_is_trained_on(run: Run, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    outcome = run("train", name, "--out", out, *TRAINING, stdin=TEXT)
    assert outcome.status == 0, outcome.err
    assert load(out).training["train_characters"] == len(TEXT) * 9 // 10


def test_a_named_pipe_is_read_as_text(
    start: Start, run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    pipe, text = tmp_path / "pipe", tmp_path / "text"
    os.mkfifo(pipe)
    text.write_text(TEXT)
    process = start("evaluate", checkpoint, pipe, "--json", "-")
    pipe.write_text(TEXT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    direct = json.loads(run("evaluate", checkpoint, text, "--json", "-").out)
    assert json.loads(out)["bits_per_character"] == direct["bits_per_character"]
    by_name = json.loads(run("evaluate", checkpoint, "-", "--json", "-", stdin=TEXT).out)
    assert by_name["bits_per_character"] == direct["bits_per_character"]


def test_a_checkpoint_in_the_folder_of_texts_is_not_read_as_text(
    run: Run, folder: Path, checkpoint: Path
) -> None:
    out = folder / "runs" / "mine"
    shutil.copytree(checkpoint, out)
    (out / "README.md").write_text(TEXT)
    (folder / "config.json").write_text(TEXT)
    listed = [run("corpus", folder, "--split", side).out for side in ("train", "validation")]
    names = {Path(file).relative_to(folder).as_posix() for file in "".join(listed).splitlines()}
    assert names == {"0.txt", "1.txt", "2.txt", "config.json"}
    again = run("train", folder, "--out", out, *TRAINING)
    assert again.status == 0, again.err
    assert "passed over" not in again.err
