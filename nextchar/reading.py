"""Input: texts from standard input, files and folders, read as UTF-8.

A single text is otherwise unchanged; documents are in the form that training reads.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from model.errors import readable
from nextchar.errors import UsageError
from training import corpus
from training.corpus import STANDARD_INPUT, Selection


def read_standard_input() -> str:
    """All of standard input, with its line ends as they are; raises CorpusError."""
    return read_text(STANDARD_INPUT)


def read_text(path: str) -> str:
    """The text of one file, or of standard input for "-"; raises CorpusError."""
    return corpus.read_text(Path(path))


def selection(
    include: Sequence[str] | None = None, skip: Sequence[str] | None = None, **lengths: int
) -> Selection:
    """The files that --include and --skip choose: all files where neither is given."""
    return Selection(tuple(include or ("*",)), tuple(skip or ()), **lengths)


def read_documents(
    paths: Sequence[Path], include: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Pairs of a name and a text. Each file is a document; folders are walked in order of names.

    Empty files are left out, and so are a folder's files that are not UTF-8, each with a line on
    standard error. Raises CorpusError where `paths` itself names a file that cannot be read or is
    not UTF-8, and UsageError where no document is left.
    """
    passed_over: list[str] = []
    found = corpus.documents(paths, selection(include), passed_over)
    documents = [(readable(document.file), document.text) for document in found]
    for line in passed_over:
        print(f"nextchar: passed over: {line}", file=sys.stderr)
    if not documents:
        named = ", ".join(map(str, paths))
        raise UsageError(f"{named}: no text found; name files, or folders that hold some, in UTF-8")
    return documents
