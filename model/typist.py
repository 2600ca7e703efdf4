"""The simulated typist's rule: how many characters one key takes, given a suggestion."""

import re
from dataclasses import dataclass
from typing import Literal

WORTH_TAKING = 2
"""The fewest characters for which a key that accepts saves anything."""

# Horizontal white space, then either word characters or other visible ones, never both:
# the unit that editors take with "accept word".
_FIRST_WORD = re.compile(r"[ \t]*(?:\w+|[^\w\s]+)")


@dataclass(frozen=True)
class Key:
    """One key press: what it accepted, and how many characters of the text it produced."""

    accepts: Literal["suggestion", "word", "nothing"]
    characters: int


TYPED = Key("nothing", 1)
"""The key that types one character and accepts nothing."""


def first_word(suggestion: str) -> str:
    """The suggestion's leading spaces and the run of like characters after them, or ''."""
    found = _FIRST_WORD.match(suggestion)
    return found.group() if found else ""


def word_ends(text: str) -> list[int]:
    """Where the word ends that `first_word` finds at each character; if none, behind that."""
    ends = list(range(1, len(text) + 1))
    for word in _FIRST_WORD.finditer(text):
        ends[word.start() : word.end()] = [word.end()] * (word.end() - word.start())
    return ends


def press(suggestion: str, text: str, position: int = 0) -> Key:
    """The key that the typist presses at `position` of `text` on seeing `suggestion`.

    What remains of the text is never copied, so a walk over a long text stays linear.
    Raises ValueError when nothing is left to type.
    """
    if not 0 <= position < len(text):
        raise ValueError(
            f"position {position} is outside the text of {len(text)} characters; "
            "ask only while something is left to type"
        )
    if len(suggestion) >= WORTH_TAKING and text.startswith(suggestion, position):
        return Key("suggestion", len(suggestion))
    word = first_word(suggestion)
    if len(word) >= WORTH_TAKING and text.startswith(word, position):
        return Key("word", len(word))
    return TYPED
