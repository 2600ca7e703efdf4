"""The text before the cursor, made from what a client of llama.cpp sends of its file and of others.

Such clients send a window of their file: a set number of lines before the cursor. When the cursor
goes on by a line, the window loses its first one, and a network that reads from the beginning would
have to read the whole window again. So a long window is cut once more, at the line of its first
half that has the least digest. While the window moves, that stays the same line for a long time.
The text read depends on what was sent and on nothing else.
"""

from collections.abc import Sequence
from hashlib import blake2b

# What llama.vim and llama.vscode send where nothing else is set; a shorter window has not moved.
WINDOW_LINES = 256
# How many lines are digested together. Single lines are often equal, and so the line with the least
# digest would often be another one.
DIGESTED_LINES = 3
# Other files are read only where no more than this stands before the cursor, and as much of them.
EXTRA_CHARACTERS = 4096


def text_before(extra: Sequence[str], prefix: str, prompt: str) -> tuple[str, bool]:
    """What to read before the cursor, and whether that leaves out anything that was sent.

    `extra` holds pieces of other files, the latest one last, `prefix` whole lines before the
    cursor's, `prompt` that line up to the cursor.
    """
    # With no lines before the cursor's, these clients send a single line end.
    own = _anchored("" if prefix == "\n" else prefix) + prompt
    room = EXTRA_CHARACTERS if len(own) <= EXTRA_CHARACTERS else 0
    pieces: list[str] = []
    for text in reversed(extra):
        piece = text if text.endswith("\n") else text + "\n"
        room -= len(piece) + 1
        if room < 0:
            break
        pieces.append(piece + "\n")
    whole = len(own) >= len(prefix) + len(prompt) - 1 and len(pieces) == len(extra)
    return "".join(reversed(pieces)) + own, not whole


def _anchored(prefix: str) -> str:
    lines = prefix.split("\n")
    if len(lines) <= WINDOW_LINES:
        return prefix
    starts = range(len(lines) // 2)
    first = min(starts, key=lambda i: (_digest(lines[i : i + DIGESTED_LINES]), -i))
    return "\n".join(lines[first:])


def _digest(lines: Sequence[str]) -> bytes:
    return blake2b("\n".join(lines).encode(), digest_size=8, person=b"window").digest()
