"""The verb corpus: it lists what `train` reads, one side at a time."""

from pathlib import Path

import pytest

from tests.cli.command import Command
from training.corpus import Selection, read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    root.mkdir()
    for index in range(40):
        (root / f"{index}.txt").write_text(f"some words of text {index}\n" * 20)
    (root / "other.py").write_text("x = 1\n" * 9)
    return root


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_side_of_the_split_is_listed(command: Command, folder: Path, side: str) -> None:
    outcome = command("corpus", folder, "--split", side)
    assert (outcome.status, outcome.err) == (0, "")
    documents = getattr(read([folder], Selection()), side)
    assert outcome.out.splitlines() == [str(document.file) for document in documents]
    assert documents


def test_files_are_chosen_as_train_chooses_them(command: Command, folder: Path) -> None:
    arguments = ("corpus", folder, "--split", "train", "--include", "*.txt", "--skip", "1*")
    listed = command(*arguments, "--minimum", 400, "--maximum", 460).out.splitlines()
    assert listed
    assert all(Path(file).suffix == ".txt" for file in listed)
    assert all(not Path(file).name.startswith("1") for file in listed)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{T}/absent --split train", "absent: no such file or folder"),
        ("{T}/corpus/other.py --split train", "48 characters to train on; at least 100"),
        ("{T}/corpus --split both", "Invalid value for '--split'"),
        ("{T}/corpus", "Missing option '--split'"),
    ],
)
def test_a_mistake_is_one_line(
    command: Command, folder: Path, tmp_path: Path, arguments: str, says: str
) -> None:
    outcome = command("corpus", *arguments.format(T=tmp_path).split())
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert says in outcome.err
