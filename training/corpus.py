"""The corpus: files and folders of UTF-8 text to documents, and their split for validation.

Run as a program it lists the files that a corpus has on one side of the split:

    python -m training.corpus --split validation --include '*.py' FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path


class CorpusError(Exception):
    """A text that cannot be read, or a corpus that is too small; one line for a person."""


@dataclass(frozen=True)
class Document:
    """One file: where it lies, its path relative to the folder that was named, and its text.

    What is `late` is read late in each epoch: text of the kind that the network is for.
    """

    file: Path
    path: str
    text: str
    late: bool = False

    @property
    def held_out(self) -> bool:
        """One document in twenty, chosen by its path alone, so that it stays the same."""
        digest = hashlib.md5(self.path.encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16) % 20 == 0


@dataclass(frozen=True)
class Selection:
    """Which files of a folder belong to a corpus."""

    include: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = 10_000_000

    def admits(self, path: Path) -> bool:
        """Whether a path relative to its folder is included: a name pattern, no skipped part."""
        hidden = any(part.startswith(".") for part in path.parts)
        skipped = any(fnmatch(part, pattern) for part in path.parts for pattern in self.skip)
        return not hidden and not skipped and any(fnmatch(path.name, p) for p in self.include)


@dataclass(frozen=True)
class Corpus:
    """Documents to train on, documents held out for validation, and files that were passed over."""

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    passed_over: tuple[str, ...] = field(default=())

    @property
    def characters(self) -> int:
        return sum(len(d.text) for d in self.train)


def files(path: Path, selection: Selection) -> Iterator[tuple[Path, str]]:
    """The files under a path, each with its path relative to it, in a fixed order."""
    if path.is_file():
        yield path, path.name
        return
    if not path.is_dir():
        raise CorpusError(f"{path}: no such file or folder")
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if file.is_file() and selection.admits(relative):
            yield file, relative.as_posix()


def read_text(file: Path) -> str:
    """A file as text, line ends untouched; raises CorpusError with the place of a bad byte."""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{file}: not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; "
            "convert the file to UTF-8 or leave it out"
        ) from None
    except OSError as error:
        raise CorpusError(f"{file}: {error.strerror}") from None


def read(
    paths: Sequence[Path],
    selection: Selection,
    validation: Sequence[Path] = (),
    late: Sequence[Path] = (),
) -> Corpus:
    """Reads a corpus. A file named outright must be text; in a folder what is not is passed over.

    Where `validation` names no text of its own, one document in twenty is held out; where that
    leaves nothing, the last tenth of the longest document is. Raises CorpusError.
    """
    passed_over: list[str] = []
    found = list(documents(paths, selection, passed_over))
    found += [replace(d, late=True) for d in documents(late, selection, passed_over)]
    if validation:
        held_out = list(documents(validation, selection, passed_over))
        train = found
    else:
        held_out = [d for d in found if d.held_out]
        train = [d for d in found if not d.held_out]
        if not held_out or not train:
            train, held_out = _cut_longest(found)
    corpus = Corpus(tuple(train), tuple(held_out), tuple(passed_over))
    if corpus.characters < 100:
        named = ", ".join(str(p) for p in paths)
        raise CorpusError(
            f"{named}: {corpus.characters} characters to train on; at least 100 are needed"
        )
    return corpus


def documents(
    paths: Sequence[Path], selection: Selection, passed_over: list[str]
) -> Iterator[Document]:
    """The documents of files and folders; what in a folder is no text goes to `passed_over`.

    Raises CorpusError for a file that is named outright and cannot be read.
    """
    for path in paths:
        for file, relative in files(path, selection):
            try:
                text = read_text(file)
            except CorpusError as error:
                if path.is_file():
                    raise
                passed_over.append(str(error))
                continue
            if path.is_file() or selection.minimum <= len(text) <= selection.maximum:
                yield Document(file, relative, text)


def _cut_longest(found: list[Document]) -> tuple[list[Document], list[Document]]:
    if not found:
        return [], []
    longest = max(found, key=lambda d: len(d.text))
    cut = len(longest.text) * 9 // 10
    others = [d for d in found if d is not longest]
    return (
        [*others, Document(longest.file, longest.path, longest.text[:cut])],
        [Document(longest.file, longest.path, longest.text[cut:])],
    )


def _main() -> int:
    parser = argparse.ArgumentParser(description="List the files of one side of a corpus's split.")
    parser.add_argument("text", nargs="+", type=Path)
    parser.add_argument("--split", choices=("train", "validation"), required=True)
    parser.add_argument("--include", action="append")
    parser.add_argument("--skip", action="append", default=[])
    parser.add_argument("--minimum", type=int, default=1)
    parser.add_argument("--maximum", type=int, default=10_000_000)
    options = parser.parse_args()
    selection = Selection(
        tuple(options.include or "*"), tuple(options.skip), options.minimum, options.maximum
    )
    try:
        corpus = read(options.text, selection)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    for document in corpus.train if options.split == "train" else corpus.validation:
        print(document.file)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
