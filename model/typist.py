"""The simulated typist's rule: how many characters one key takes, given a suggestion."""

import re
from dataclasses import dataclass
from typing import Literal

# Accepting takes one key, as typing one character does. So accepting fewer than two saves nothing.
FEWEST_ACCEPTED_CHARACTERS = 2

# Horizontal white space, then either word characters or other visible ones, never both. Editors
# accept this much with "accept word".
_FIRST_WORD = re.compile(r"[ \t]*(?:\w+|[^\w\s]+)")


@dataclass(frozen=True)
class Key:
    """One key press: what it accepted, and how many characters of the text it produced."""

    accepts: Literal["suggestion", "word", "nothing"]
    characters: int


# The key that types one character and accepts nothing.
TYPED = Key("nothing", 1)


def first_word(suggestion: str) -> str:
    """What "accept word" takes of a suggestion: one match of `_FIRST_WORD` at its start, or ""."""
    found = _FIRST_WORD.match(suggestion)
    return found.group() if found else ""


def word_ends(text: str) -> list[int]:
    """For each character, the end of the word that it is in, or the next position outside words."""
    ends = list(range(1, len(text) + 1))
    for word in _FIRST_WORD.finditer(text):
        ends[word.start() : word.end()] = [word.end()] * (word.end() - word.start())
    return ends


def press(suggestion: str, text: str, position: int = 0) -> Key:
    """The key that the typist presses at `position` of `text` when shown `suggestion`.

    The rest of the text is never copied, so going through a long text takes linear time. Raises
    ValueError where nothing is left to type.
    """
    if not 0 <= position < len(text):
        raise ValueError(
            f"position {position} is outside the text of {len(text)} characters; "
            "ask only while something is left to type"
        )
    if len(suggestion) >= FEWEST_ACCEPTED_CHARACTERS and text.startswith(suggestion, position):
        return Key("suggestion", len(suggestion))
    word = first_word(suggestion)
    if len(word) >= FEWEST_ACCEPTED_CHARACTERS and text.startswith(word, position):
        return Key("word", len(word))
    return TYPED
