"""The corpus: files and folders of UTF-8 text to documents, and their split for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from training.errors import CorpusError

# One document in twenty is held out for validation.
HELD_OUT_ONE_IN = 20
# With fewer characters there is nothing to learn from.
LEAST_CHARACTERS = 100
# Longer files of a folder are seldom what a person wrote.
MOST_FILE_CHARACTERS = 10_000_000


@dataclass(frozen=True)
class Document:
    """One file: where it lies, its path relative to the folder that was named, and its text.

    A `late` document is read late in each epoch: it is of the kind that the network is for.
    """

    file: Path
    path: str
    text: str
    late: bool = False

    @property
    def held_out(self) -> bool:
        """Whether the document is for validation; its path alone decides, in every corpus."""
        digest = hashlib.md5(self.path.encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16) % HELD_OUT_ONE_IN == 0


@dataclass(frozen=True)
class Selection:
    """Which files of a folder belong to a corpus.

    Files whose names match a pattern of `include`, without those that match one of `skip` or lie in
    a folder that does, of `minimum` to `maximum` characters.
    """

    include: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = MOST_FILE_CHARACTERS

    def admits(self, path: Path) -> bool:
        """Whether a path, relative to its folder, is included; hidden files never are."""
        hidden = any(part.startswith(".") for part in path.parts)
        skipped = any(fnmatch(part, pattern) for part in path.parts for pattern in self.skip)
        return not hidden and not skipped and any(fnmatch(path.name, p) for p in self.include)


@dataclass(frozen=True)
class Corpus:
    """Documents to train on, documents held out for validation, and files that were passed over.

    Of each file that was passed over there is a line that says why.
    """

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    passed_over: tuple[str, ...] = field(default=())

    @property
    def characters(self) -> int:
        """The characters to train on."""
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
    """Reads a corpus. A file that is named must be text; a file in a folder may be passed over.

    Where `validation` names no text, one document in twenty is held out. Where that leaves nothing
    to train on or to hold out, the last tenth of the longest document is. Raises CorpusError.
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
    if corpus.characters < LEAST_CHARACTERS:
        named = ", ".join(str(p) for p in paths)
        raise CorpusError(
            f"{named}: {corpus.characters} characters to train on; "
            f"at least {LEAST_CHARACTERS} are needed"
        )
    return corpus


def documents(
    paths: Sequence[Path], selection: Selection, passed_over: list[str]
) -> Iterator[Document]:
    """The documents of files and folders.

    Files of a folder that are no text are passed over, with a line in `passed_over` for each. A
    file that is named itself and cannot be read raises CorpusError.
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
    """What is to be trained on and held out, where the last tenth of the longest is held out."""
    if not found:
        return [], []
    longest = max(found, key=lambda d: len(d.text))
    cut = len(longest.text) * 9 // 10
    others = [d for d in found if d is not longest]
    return (
        [*others, Document(longest.file, longest.path, longest.text[:cut])],
        [Document(longest.file, longest.path, longest.text[cut:])],
    )
