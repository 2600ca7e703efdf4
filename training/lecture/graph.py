"""The unrolled graph: the cell is drawn once for each step, with its input and its output.

Every step is the same function with the same parameters, so a graph of any length has one U, one W
and one V (Deep Learning, Goodfellow et al., 2016, section 10.1).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# The columns of a terminal that one step takes.
WIDTH = 8


@dataclass(frozen=True)
class GraphStep:
    """One step of an unrolled graph.

    `read` is the input character; it is `fed_back` where it is the output of the step before.
    `predicted` is the output character, with its probability, or None where the output is not used.
    """

    read: str
    predicted: str | None = None
    probability: float | None = None
    fed_back: bool = False


@dataclass(frozen=True)
class Graph:
    """Steps in order; `before` is the number of steps before the first one that is drawn."""

    steps: tuple[GraphStep, ...]
    before: int = 0


@dataclass(frozen=True)
class Vectors:
    """The vectors of one step: one-hot x (inputs,), h (hidden,), and distribution y (outputs,)."""

    x: tuple[float, ...]
    h: tuple[float, ...]
    y: tuple[float, ...]


def visible(character: str) -> str:
    """A character as it is shown in a graph: blanks and control characters become a sign.

    A longer string, such as "start", is returned as it is.
    """
    signs = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}
    if character in signs:
        return signs[character]
    if len(character) == 1 and unicodedata.category(character).startswith("C"):
        return "·"
    return character


def as_text(graph: Graph) -> str:
    """The graph for a terminal: outputs above, states in the middle, inputs below."""
    steps, before = graph.steps, graph.before
    asked = [step.predicted is not None for step in steps]
    rows = [
        ("y", [_predicted(step) for step in steps], ""),
        ("", ["↑" if up else "" for up in asked], "y = softmax(V h)"),
        (
            "h",
            [_state(before + number) for number in range(1, len(steps) + 1)],
            "h = f(x, h before)",
        ),
        ("", ["↑"] * len(steps), "U x"),
        ("x", [_read(step) for step in steps], ""),
    ]
    lines = []
    for label, cells, note in rows:
        between = "─W→" if label == "h" else "   "
        first = _state(before) if label == "h" else label
        line = f"{first:<{len(_state(before)) + 1}}" + "".join(
            f"{between}{_centred(cell, WIDTH - len(between))}" for cell in cells
        )
        lines.append(f"{line}   {note}".rstrip())
    return "\n".join(line for line in lines if line)


def _predicted(step: GraphStep) -> str:
    return "" if step.predicted is None else visible(step.predicted)


def _read(step: GraphStep) -> str:
    return f"({visible(step.read)})" if step.fed_back else visible(step.read)


def _state(number: int) -> str:
    return f"h{number}".translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _centred(text: str, width: int) -> str:
    """Text centred by its columns: an East Asian character takes two, a combining mark none."""
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return text.center(width + marks - wide)
