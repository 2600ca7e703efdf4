"""A text in rows of one width, in which each character has its position in the text."""

from __future__ import annotations

# The columns that a tab is shown in.
TAB_COLUMNS = 4


def rows(text: str, width: int) -> list[list[tuple[int, str]]]:
    """Rows of (position, character to show); a line end ends a row and is shown in it as "↵"."""
    lines: list[list[tuple[int, str]]] = [[]]
    for position, character in enumerate(text):
        shown = "↵" if character == "\n" else " " * TAB_COLUMNS if character == "\t" else character
        if not shown.isprintable():
            shown = "·"
        if len(lines[-1]) + len(shown) > width:
            lines.append([])
        lines[-1] += [(position, each) for each in shown]
        if character == "\n":
            lines.append([])
    return lines if lines[-1] else lines[:-1]
