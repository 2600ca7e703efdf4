"""The errors that the model package raises; each message is one line for a person."""

import re
from pathlib import Path

# Python holds the bytes of a file's name that are no UTF-8 as these lone surrogates (PEP 383).
_BYTE = re.compile("[\udc80-\udcff]")


class ModelError(Exception):
    """Something that the model package refuses; the base of all errors here."""


class CheckpointError(ModelError):
    """A checkpoint that is missing or damaged, or whose form this version does not read."""


class TextError(ModelError):
    """A text that cannot be spelt: it holds a lone surrogate, or a character without any id."""


class PoolFull(ModelError):
    """Every slot of a pool of states is taken."""


def readable(path: Path | str) -> str:
    """A path, or a line with paths in it, as text for UTF-8: other bytes become `\\xe9`."""
    return _BYTE.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", str(path))
