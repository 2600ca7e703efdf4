"""The text before the cursor, made from the pieces of files that a client of llama.cpp sends.

Such clients send a window of their file: a fixed number of lines before the cursor. When the cursor
moves on by a line, the window loses its first line. A network that reads from the beginning would
then have to read the whole window again. So a long window is cut once more, at the line of its
first half that has the smallest digest. While the window moves, this stays the same line for a long
time. The text that is read depends only on what was sent. It is in the form that training reads.
"""

from collections.abc import Sequence
from hashlib import blake2b

from model.text_form import START, training_form

# How many lines llama.vim and llama.vscode send by default. A shorter window begins with the file,
# so it does not move.
WINDOW_LINES = 256
# How many lines are digested together. Single lines are often equal. With their digests the chosen
# line would change more often.
DIGESTED_LINES = 3
# Other files are read only if at most this many characters come before the cursor. At most this
# many of their characters are read.
EXTRA_CHARACTERS = 4096


def text_before(extra: Sequence[str], prefix: str, prompt: str) -> tuple[str, bool]:
    """The text to read before the cursor, and whether it leaves out anything that was sent.

    `extra` holds pieces of other files, the latest one last. `prefix` is whole lines before the
    cursor's line, and `prompt` is the cursor's line up to the cursor.
    """
    prefix, prompt = training_form(prefix), START.after(prefix).form(prompt)
    # If there are no lines before the cursor's line, these clients send a single line end.
    own = _anchored("" if prefix == "\n" else prefix) + prompt
    room = EXTRA_CHARACTERS if len(own) <= EXTRA_CHARACTERS else 0
    pieces: list[str] = []
    for text in map(training_form, reversed(extra)):
        piece = text if text.endswith("\n") else text + "\n"
        room -= len(piece) + 1
        if room < 0:
            break
        pieces.append(piece + "\n")
    # That single line end, which is 1 character, does not count as left out.
    whole = len(own) >= len(prefix) + len(prompt) - 1 and len(pieces) == len(extra)
    return "".join(reversed(pieces)) + own, not whole


def _anchored(prefix: str) -> str:
    """The lines from the one with the smallest digest on; all of them if they are few."""
    lines = prefix.split("\n")
    if len(lines) <= WINDOW_LINES:
        return prefix
    starts = range(len(lines) // 2)
    # Of equal lines the last is chosen, because the window keeps it for longest.
    first = min(starts, key=lambda i: (_digest(lines[i : i + DIGESTED_LINES]), -i))
    return "\n".join(lines[first:])


def _digest(lines: Sequence[str]) -> bytes:
    return blake2b("\n".join(lines).encode(), digest_size=8, person=b"window").digest()
