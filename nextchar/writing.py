"""Figures out: JSON to a file or to standard output, whole or not at all."""

import json
import os
import sys
from pathlib import Path

from nextchar.errors import UsageError

STANDARD_OUTPUT = "-"


def write_output(text: str) -> None:
    """Writes UTF-8 to standard output, whatever the locale says, and line ends as they are."""
    if sys.stdout is None:
        raise UsageError("standard output is closed; there is nowhere to write to")
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def write_json(value: object, target: str) -> None:
    """Writes `value` as JSON to the file `target`, or to standard output for "-".

    A file is written under a temporary name beside it and renamed, so that a reader never meets
    half of it. Raises UsageError when it cannot be written.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    if target == STANDARD_OUTPUT:
        write_output(text)
        return
    from model.checkpoint import replace

    try:
        replace(Path(target), text.encode())
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}; name a file in a folder that exists"
        ) from None


def check_folder(folder: Path) -> None:
    """Raises UsageError before minutes of work, not after them, where a folder is read-only."""
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written; copy it to a folder that can")


def check_target(target: str | None) -> None:
    """Raises UsageError before minutes of work, not after them, when `target` is no place."""
    if target is None or target == STANDARD_OUTPUT:
        return
    if Path(target).is_dir() or not Path(target).parent.is_dir():
        raise UsageError(f"{target} cannot be written: name a file in a folder that exists")
