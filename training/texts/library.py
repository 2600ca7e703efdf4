"""The standard library of the Python that runs this, as a corpus."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from training import corpus
from training.corpus import Corpus, Selection
from training.texts.selection import LEAST_CHARACTERS, MOST_CHARACTERS

FOLDER = Path(sysconfig.get_path("stdlib"))

# Tests, tables and the code of old tools are left out.
_SELECTION = Selection(
    include=("*.py",),
    skip=(
        *("test", "tests", "idle_test", "site-packages"),
        *("idlelib", "lib2to3", "encodings", "pydoc_data"),
    ),
    minimum=LEAST_CHARACTERS,
    maximum=MOST_CHARACTERS,
)


def read_library(folder: Path = FOLDER) -> Corpus:
    """The library's code. One file in twenty is held out, chosen by its path.

    Raises CorpusError.
    """
    return corpus.read([folder], _SELECTION)
