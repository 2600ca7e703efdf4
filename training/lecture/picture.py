"""The unrolled graph as a picture, with the values of every vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from training.lecture.graph import Graph, Vectors, visible
from training.reporting.plots import save_png

# In units of the axes: the distance between two steps, the heights of the vectors' middles, and
# twice the width of a vector's column.
SPACING = 2.2
HEIGHTS = {"x": 0.0, "h": 2.4, "y": 4.8}
BOX = 1.1


def draw(
    graph: Graph, vectors: Sequence[Vectors], names: Sequence[str], title: str, file: Path
) -> None:
    """Draws the graph into a PNG file; `names` are the outputs' names, from the top down."""
    steps = graph.steps
    width = SPACING * len(steps) + 2.6
    figure = Figure(figsize=(width * 0.75, 5.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(-1.5 * SPACING, width - SPACING), ylim=(-1.5, 6.5), aspect="equal", title=title)
    axes.axis("off")
    states, shares = colormaps["RdBu_r"], colormaps["Greens"]
    axes.text(BOX / 4 - SPACING, HEIGHTS["h"], "$h_0 = 0$", va="center", ha="right")
    for number, (step, held) in enumerate(zip(steps, vectors, strict=True)):
        at = number * SPACING
        _column(axes, at, HEIGHTS["x"], held.x, shares, (0, 1))
        _column(axes, at, HEIGHTS["h"], held.h, states, (-1, 1))
        _column(axes, at, HEIGHTS["y"], held.y, shares, (0, 1), names)
        _arrow(axes, (at - SPACING + BOX / 3, HEIGHTS["h"]), (at - BOX / 3, HEIGHTS["h"]), "$W$")
        for below, above, name in (("x", "h", "$U$"), ("h", "y", "$V$")):
            begin, end = (at, HEIGHTS[below] + BOX * 0.85), (at, HEIGHTS[above] - BOX * 0.85)
            _arrow(axes, begin, end, name)
        axes.text(at, -1.25, visible(step.read), ha="center", fontsize=12, weight="bold")
        if step.predicted is not None:
            said = f"{visible(step.predicted)}  {step.probability or 0:.2f}"
            axes.text(at, HEIGHTS["y"] + 1.05, said, ha="center", fontsize=12, weight="bold")
    right = len(steps) * SPACING - 0.9
    for name, meaning in (
        ("x", "$x_t$ one-hot"),
        ("h", "$h_t = \\tanh(U x_t + W h_{t-1} + b)$"),
        ("y", "$y_t = \\mathrm{softmax}(V h_t + a)$"),
    ):
        axes.text(right, HEIGHTS[name], meaning, va="center", fontsize=10)
    save_png(figure, file, dpi=90, tight=True)


def _column(
    axes: Axes,
    x: float,
    y: float,
    values: Sequence[float],
    colours: Colormap,
    limits: tuple[float, float],
    names: Sequence[str] = (),
) -> None:
    """Draws a vector as a column of coloured boxes, with its first value on top."""
    height = 1.6 / len(values)
    scale = Normalize(*limits)
    for number, value in enumerate(values):
        top = y + 0.8 - number * height
        axes.add_patch(
            Rectangle(
                (x - BOX / 4, top - height),
                BOX / 2,
                height,
                facecolor=colours(scale(value)),
                edgecolor="0.4",
                lw=0.5,
            )
        )
        if names:
            axes.text(x + BOX / 4 + 0.08, top - height / 2, names[number], fontsize=7, va="center")


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float], name: str) -> None:
    axes.annotate("", end, begin, arrowprops={"arrowstyle": "-|>", "color": "0.3"})
    middle = ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2)
    axes.annotate(name, middle, (4, 4), textcoords="offset points", fontsize=9, color="0.3")
