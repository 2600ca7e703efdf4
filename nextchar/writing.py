"""Output: text and JSON files that are written whole or not at all, and checks of their places.

A verb checks before it computes for minutes. All checks raise UsageError.
"""

import json
import os
import sys
from pathlib import Path

from nextchar.errors import UsageError

STANDARD_OUTPUT = "-"


def write_output(text: str) -> None:
    """Writes UTF-8 to standard output, whatever the locale, with line ends as they are."""
    if sys.stdout is None:
        raise UsageError("standard output is closed; there is nowhere to write to")
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def write_json(value: object, target: str) -> None:
    """Writes `value` as JSON to the file `target`, or to standard output for "-".

    A file is written under a temporary name beside it and then renamed, so that no reader finds
    half of it. Raises UsageError where it cannot be written.
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
    """Raises UsageError where a folder is read-only."""
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written; copy it to a folder that can")


def check_new_folder(out: Path) -> None:
    """Raises UsageError where `--out` names a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder, which may be new")


def check_checkpoint_folder(out: Path) -> None:
    """Raises UsageError where `--out` is a file, or a folder of files without a checkpoint."""
    check_new_folder(out)
    if out.is_dir() and any(out.iterdir()) and not (out / "model.safetensors").is_file():
        raise UsageError(
            f"--out: {out} holds other files and no checkpoint; name a new folder, or a checkpoint "
            "to be replaced"
        )


def check_target(target: str | None) -> None:
    """Raises UsageError where no JSON can be written to `target`."""
    if target is None or target == STANDARD_OUTPUT:
        return
    if Path(target).is_dir() or not Path(target).parent.is_dir():
        raise UsageError(f"{target} cannot be written: name a file in a folder that exists")
