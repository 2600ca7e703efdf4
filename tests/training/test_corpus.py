from pathlib import Path

import pytest

from training.corpus import Selection, documents, read
from training.errors import CorpusError

TEXT = "some words of text\n" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    for index in range(40):
        file = root / f"part{index % 3}" / f"{index}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{index}\r\n" + TEXT, newline="")
    return root


def test_one_document_in_twenty_is_held_out_by_its_path_alone(folder: Path, tmp_path: Path) -> None:
    corpus = read([folder], Selection())
    assert len(corpus.train) + len(corpus.validation) == 40
    assert 1 <= len(corpus.validation) <= 6
    moved = folder.rename(tmp_path / "elsewhere")
    again = read([moved], Selection())
    assert [d.path for d in again.validation] == [d.path for d in corpus.validation]
    assert not {d.path for d in corpus.train} & {d.path for d in corpus.validation}


def test_every_file_is_read_with_line_feeds_and_no_byte_order_mark(
    folder: Path, tmp_path: Path
) -> None:
    corpus = read([folder], Selection())
    assert all(d.text.endswith("\n" + TEXT) and "\r" not in d.text for d in corpus.train)
    marked = tmp_path / "old-mac.txt"
    marked.write_bytes(("\ufeff" + TEXT.replace("\n", "\r")).encode())
    (document,) = documents([marked], Selection(), [])
    assert document.text == TEXT


def test_a_selection_chooses_by_name_folder_and_length(folder: Path) -> None:
    (folder / "part0" / "code.py").write_text("x = 1\n" * 50)
    (folder / "part0" / ".hidden.txt").write_text(TEXT)
    (folder / "part1" / "short.txt").write_text("short")
    paths = {d.path for c in (read([folder], Selection(("*.txt",), ("part2",), 10, 10_000)),)
             for d in (*c.train, *c.validation)}  # fmt: skip
    assert paths
    assert all(p.startswith(("part0/", "part1/")) and p.endswith(".txt") for p in paths)
    assert not paths & {"part0/.hidden.txt", "part1/short.txt"}


def test_the_last_tenth_of_a_single_file_is_held_out(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("".join(chr(97 + i % 26) for i in range(1000)))
    corpus = read([file], Selection())
    assert [len(d.text) for d in (*corpus.train, *corpus.validation)] == [900, 100]


def test_validation_text_can_be_named(folder: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held-out.txt"
    held_out.write_text(TEXT)
    corpus = read([folder], Selection(), [held_out])
    assert len(corpus.train) == 40
    assert [d.path for d in corpus.validation] == ["held-out.txt"]


def test_a_named_file_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(b"caf\xe9 " * 100)
    with pytest.raises(CorpusError, match=r"latin\.txt: not UTF-8: byte 0xe9 at offset 3"):
        read([file], Selection())


def test_a_file_in_a_folder_that_is_not_text_is_passed_over_and_told(folder: Path) -> None:
    (folder / "picture.png").write_bytes(b"\x89PNG\xff\xff")
    corpus = read([folder], Selection())
    assert [line.partition(":")[0] for line in corpus.passed_over] == [str(folder / "picture.png")]


def test_too_little_text_and_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(CorpusError, match="at least 100 are needed"):
        read([tmp_path / "short.txt"], Selection())
    with pytest.raises(CorpusError, match="no such file or folder"):
        read([tmp_path / "nothing"], Selection())
