"""Input: texts from standard input, files and folders, read as UTF-8.

A single text is otherwise unchanged; documents are in the form that training reads.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from nextchar.errors import UsageError
from training import corpus
from training.corpus import Selection

STANDARD_INPUT = "-"


def read_standard_input() -> str:
    """All of standard input, with its line ends as they are.

    Raises UsageError where it is closed or not UTF-8; the message names the offset.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed; give a text on it")
    data = sys.stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input is not UTF-8: byte 0x{data[error.start]:02x} at offset "
            f"{error.start}; convert it to UTF-8 first"
        ) from None


def read_text(path: str) -> str:
    """The text of one file, or of standard input for "-"; raises CorpusError or UsageError."""
    return read_standard_input() if path == STANDARD_INPUT else corpus.read_text(Path(path))


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
    documents = [(str(document.file), document.text) for document in found if document.text]
    for line in passed_over:
        print(f"nextchar: passed over: {line}", file=sys.stderr)
    if not documents:
        named = ", ".join(map(str, paths))
        raise UsageError(f"{named}: no text found; name files, or folders that hold some, in UTF-8")
    return documents
