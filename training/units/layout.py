"""Lays a text out in rows of one width; each character keeps its position in the text."""

from __future__ import annotations

# A tab is shown as this many columns.
TAB_COLUMNS = 4


def rows(text: str, width: int) -> list[list[tuple[int, str]]]:
    """Rows of (position, character to show). A line end is shown as "↵" and ends its row."""
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
