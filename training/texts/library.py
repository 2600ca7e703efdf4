"""The standard library of the Python in use; as a program it lists the files that are held out.

python -m training.texts.library
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from training import corpus
from training.corpus import Corpus, Selection
from training.texts.selection import MAXIMUM, MINIMUM

FOLDER = Path(sysconfig.get_path("stdlib"))

_SELECTION = Selection(
    include=("*.py",),
    skip=(
        *("test", "tests", "idle_test", "site-packages"),
        *("idlelib", "lib2to3", "encodings", "pydoc_data"),
    ),
    minimum=MINIMUM,
    maximum=MAXIMUM,
)


def read_library(folder: Path = FOLDER) -> Corpus:
    """The library's code without its tests and tables, one file in twenty held out by its path.

    Raises CorpusError.
    """
    return corpus.read([folder], _SELECTION)


if __name__ == "__main__":
    sys.stdout.writelines(f"{document.file}\n" for document in read_library().validation)
