"""The corpus: reads files and folders of UTF-8 text as documents, and splits off validation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from model.text_form import training_form
from training.errors import CorpusError

# One document in twenty is held out for validation.
HELD_OUT_ONE_IN = 20
# A corpus of fewer characters is refused: there is nothing to learn from.
LEAST_CHARACTERS = 100
# The default limit. A longer file of a folder is seldom written by a person.
MOST_FILE_CHARACTERS = 10_000_000


@dataclass(frozen=True)
class Document:
    """One file: where it lies, its path relative to the folder that the user named, and its text.

    The text is in the form of model.text_form: without a byte order mark, and with each line end as
    "\\n".

    A `late` document is of the kind that the network is for. It is read late in each epoch.
    """

    file: Path
    path: str
    text: str
    late: bool = False

    @property
    def held_out(self) -> bool:
        """Whether the document is for validation. Only `path` decides, so every run agrees."""
        digest = hashlib.md5(self.path.encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16) % HELD_OUT_ONE_IN == 0


@dataclass(frozen=True)
class Selection:
    """Which files of a folder belong to a corpus.

    A file's name must match a pattern of `include`. Neither the name nor a folder of its path may
    match a pattern of `skip`. The text has `minimum` to `maximum` characters.
    """

    include: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = MOST_FILE_CHARACTERS

    def admits(self, path: Path) -> bool:
        """Whether a path, relative to its folder, is chosen; hidden files never are."""
        hidden = any(part.startswith(".") for part in path.parts)
        skipped = any(fnmatch(part, pattern) for part in path.parts for pattern in self.skip)
        return not hidden and not skipped and any(fnmatch(path.name, p) for p in self.include)


@dataclass(frozen=True)
class Corpus:
    """Documents to train on, and documents held out for validation.

    `passed_over` has a line for each file that could not be read as text; the line says why.
    """

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    passed_over: tuple[str, ...] = field(default=())

    @property
    def characters(self) -> int:
        """The number of characters to train on."""
        return sum(len(d.text) for d in self.train)


def files(path: Path, selection: Selection) -> Iterator[tuple[Path, str]]:
    """The files under a path in a fixed order, each with its path relative to the named folder.

    A path that is a file gives itself, with its name. Raises CorpusError where nothing is there.
    """
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
    """A file as text, in its own form: with its line ends as they are.

    Raises CorpusError where it cannot be read or is not UTF-8; the message names the bad byte.
    """
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
    """Reads a corpus from files and folders. The documents of `late` are read late in each epoch.

    Where `validation` names no text, one document in twenty is held out. If this leaves nothing to
    train on or nothing to hold out, the last tenth of the longest document is held out instead.
    Raises CorpusError for a named file that is not text, and for a corpus that is too small.
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

    A folder's file that is not UTF-8 is passed over, and a line that says so is added to
    `passed_over`. Raises CorpusError where `paths` itself names a file that cannot be read.
    """
    for path in paths:
        for file, relative in files(path, selection):
            try:
                text = training_form(read_text(file))
            except CorpusError as error:
                if path.is_file():
                    raise
                passed_over.append(str(error))
                continue
            if path.is_file() or selection.minimum <= len(text) <= selection.maximum:
                yield Document(file, relative, text)


def _cut_longest(found: list[Document]) -> tuple[list[Document], list[Document]]:
    """The documents to train on and to hold out: the last tenth of the longest is held out."""
    if not found:
        return [], []
    longest = max(found, key=lambda d: len(d.text))
    cut = len(longest.text) * 9 // 10
    others = [d for d in found if d is not longest]
    return (
        [*others, Document(longest.file, longest.path, longest.text[:cut])],
        [Document(longest.file, longest.path, longest.text[cut:])],
    )
