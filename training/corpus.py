"""The corpus: reads files and folders of UTF-8 text as documents, and splits off validation."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from model.errors import readable
from model.text_form import training_form
from training.errors import CorpusError

# The path of standard input.
STANDARD_INPUT = "-"
# One document in twenty is held out for validation.
HELD_OUT_ONE_IN = 20
# A corpus of fewer characters is refused: there is nothing to learn from.
LEAST_CHARACTERS = 100
# The default limit. A longer file of a folder is seldom written by a person.
MOST_FILE_CHARACTERS = 10_000_000
# An error names at most this many of the files that were passed over.
MOST_NAMED_FILES = 3


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
        # The bytes of a name that is not UTF-8 stay what they are.
        path = self.path.encode("utf-8", "surrogateescape")
        digest = hashlib.md5(path, usedforsecurity=False)
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

    A path that is no folder gives itself, with its name: a file, a pipe, or standard input. Folders
    in it that hold a checkpoint are left out with all that is in them: what a network writes about
    itself is no text to learn from. Raises CorpusError where nothing is there.
    """
    from model.checkpoint import WEIGHTS_FILE, is_checkpoint

    if not path.is_dir():
        if not path.exists() and str(path) != STANDARD_INPUT:
            raise CorpusError(f"{path}: no such file or folder")
        yield path, path.name
        return
    found = sorted(path.rglob("*"))
    weights = {file.parent for file in found if file.name == WEIGHTS_FILE}
    checkpoints = {folder for folder in weights - {path} if is_checkpoint(folder)}
    for file in found:
        relative = file.relative_to(path)
        if file.is_file() and selection.admits(relative) and checkpoints.isdisjoint(file.parents):
            yield file, relative.as_posix()


def read_text(file: Path) -> str:
    """A file as text, or standard input, in its own form: with its line ends as they are.

    Raises CorpusError where it cannot be read or is not UTF-8; the message names the bad byte.
    """
    name = "standard input" if str(file) == STANDARD_INPUT else str(file)
    try:
        return _bytes_of(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{name}: not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; "
            "convert it to UTF-8 or leave it out"
        ) from None
    except OSError as error:
        raise CorpusError(f"{name}: {error.strerror}") from None


def _bytes_of(file: Path) -> bytes:
    if str(file) != STANDARD_INPUT:
        return file.read_bytes()
    if sys.stdin is None:
        raise CorpusError("standard input is closed; give a text on it")
    return sys.stdin.buffer.read()


def read(
    paths: Sequence[Path],
    selection: Selection,
    validation: Sequence[Path] = (),
    late: Sequence[Path] = (),
) -> Corpus:
    """Reads a corpus from files and folders. The documents of `late` are read late in each epoch.

    Without `validation`, one document in twenty is held out. If this leaves nothing to train on or
    nothing to hold out, the last tenth of the longest document is held out instead. Empty documents
    are left out. Raises CorpusError for a named file that is not text, for a corpus that is too
    small, and where `validation` names files or folders without text.
    """
    passed_over: list[str] = []
    found = list(documents(paths, selection, passed_over))
    found += [replace(d, late=True) for d in documents(late, selection, passed_over)]
    if validation:
        held_out = list(documents(validation, selection, passed_over))
        train = found
        if not held_out:
            raise CorpusError(
                f"--validation: {_joined(validation)}: no text to measure on{_reasons(passed_over)}"
            )
    else:
        held_out = [d for d in found if d.held_out]
        train = [d for d in found if not d.held_out]
        if not held_out or not train:
            train, held_out = _cut_longest(found)
    corpus = Corpus(tuple(train), tuple(held_out), tuple(passed_over))
    if corpus.characters < LEAST_CHARACTERS:
        raise CorpusError(
            f"{_joined(paths)}: {corpus.characters} characters to train on; "
            f"at least {LEAST_CHARACTERS} are needed{_reasons(passed_over)}"
        )
    return corpus


def _joined(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def _reasons(passed_over: Sequence[str]) -> str:
    """The end of an error: the first files that were passed over, and how many more there are."""
    if not passed_over:
        return ""
    more = len(passed_over) - MOST_NAMED_FILES
    named = "; ".join(passed_over[:MOST_NAMED_FILES])
    return f". Passed over: {named}" + (f"; and {more} more files" if more > 0 else "")


def documents(
    paths: Sequence[Path], selection: Selection, passed_over: list[str]
) -> Iterator[Document]:
    """The documents of files and folders that have text in them.

    A folder's file that is not UTF-8 is passed over, and a line that says so is added to
    `passed_over`. Raises CorpusError where `paths` itself names a file that cannot be read.
    """
    for path in paths:
        for file, relative in files(path, selection):
            try:
                text = training_form(read_text(file))
            except CorpusError as error:
                if not path.is_dir():
                    raise
                passed_over.append(readable(str(error)))
                continue
            chosen = not path.is_dir() or selection.minimum <= len(text) <= selection.maximum
            if text and chosen:
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
