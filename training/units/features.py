"""Readable features of a text: a number after each character, computed from the text alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

OPENING, CLOSING = "([{", ")]}"
# A string's prefix letters may stand directly before its quote. A quote after any other word
# character is an apostrophe.
PREFIX = re.compile(r"(?<!\w)(?:[rbfu]|rb|br|rf|fr)$", re.IGNORECASE)
# The characters before a quote in which a prefix is looked for: enough for the longest prefix, two
# letters, and the character before it.
LONGEST_PREFIX = 4


@dataclass(frozen=True)
class Feature:
    """A feature's name, its meaning, and the function of its values, shape (characters,)."""

    name: str
    meaning: str
    values: Callable[[str], Values]


class _Within(Enum):
    CODE = "code"
    COMMENT = "comment"
    QUOTES = "quotes"


def _line_length(text: str) -> Values:
    return np.array([column for column, _ in _lines(text)], np.float64)


def _indentation(text: str) -> Values:
    return np.array([blanks for _, blanks in _lines(text)], np.float64)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """After each character: the length of its line so far, and the number of leading blanks."""
    column = blanks = 0
    for character in text:
        if character == "\n":
            column = blanks = 0
        else:
            blanks += character in " \t" and blanks == column
            column += 1
        yield column, blanks


def _quotes(text: str) -> Values:
    return np.array([where is _Within.QUOTES for where in _scan(text)], np.float64)


def _comment(text: str) -> Values:
    return np.array([where is _Within.COMMENT for where in _scan(text)], np.float64)


def _scan(text: str) -> Iterator[_Within]:
    """Whether a reader is in code, in a comment or in quotes after each character.

    Quotes, triple quotes, escapes, and comments from # to the line's end are recognised. The
    opening quote counts as inside and the closing one as outside, because the reader is there
    after reading it.
    """
    quote, position = "", 0
    comment = False
    while position < len(text):
        character, length = text[position], 1
        if comment:
            comment = character != "\n"
        elif quote:
            if character == "\\":
                length = 2
            elif text.startswith(quote, position):
                length, quote = len(quote), ""
            elif character == "\n" and len(quote) == 1:
                quote = ""
        elif character in "\"'" and _opens(text, position):
            triple = text[position : position + 3]
            quote = triple if triple == 3 * character else character
            length = len(quote)
        else:
            comment = character == "#"
        where = _Within.COMMENT if comment else _Within.QUOTES if quote else _Within.CODE
        for _ in range(min(length, len(text) - position)):
            yield where
        position += length


def _opens(text: str, position: int) -> bool:
    before = text[max(0, position - LONGEST_PREFIX) : position]
    return not re.search(r"\w$", before) or PREFIX.search(before) is not None


def _brackets(text: str) -> Values:
    depth, depths = 0, []
    for character, where in zip(text, _scan(text), strict=True):
        if where is _Within.CODE:
            depth += (character in OPENING) - (character in CLOSING and depth > 0)
        depths.append(depth)
    return np.array(depths, np.float64)


def _word(text: str) -> Values:
    return np.array([_is_word(c) for c in text], np.float64)


def _word_length(text: str) -> Values:
    length, lengths = 0, []
    for character in text:
        length = length + 1 if _is_word(character) else 0
        lengths.append(length)
    return np.array(lengths, np.float64)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("line-length", "characters on the line so far", _line_length),
        Feature("indentation", "blanks at the beginning of the line", _indentation),
        Feature("quotes", "inside quotes", _quotes),
        Feature("brackets", "depth of open brackets", _brackets),
        Feature("comment", "inside a comment from # on", _comment),
        Feature("word", "inside a word", _word),
        Feature("word-length", "characters of the word so far", _word_length),
    )
}
