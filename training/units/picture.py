"""A picture of a unit's activations along a text, as the background colour of each character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from training.reporting.plots import save_png
from training.units.layout import rows

# The number of characters in a row of the picture.
COLUMNS = 88


@dataclass(frozen=True)
class Panel:
    """One unit along one text: a title, the text, and activations (characters,) from −1 to 1."""

    title: str
    text: str
    activations: NDArray[np.float32]


def draw(panels: Sequence[Panel], file: Path) -> None:
    """Draws the panels under one another into a PNG file; red is +1, blue −1."""
    laid_out = [rows(panel.text, COLUMNS) for panel in panels]
    heights = [len(lines) + 1.2 for lines in laid_out]
    figure = Figure(figsize=(COLUMNS * 0.095, sum(heights) * 0.19 + 0.2))
    grid = figure.add_gridspec(
        len(panels), 1, height_ratios=heights, hspace=0.02, left=0.01, right=0.99, top=0.99,
        bottom=0.01,
    )  # fmt: skip
    for number, (panel, lines) in enumerate(zip(panels, laid_out, strict=True)):
        _panel(figure.add_subplot(grid[number]), panel, lines)
    save_png(figure, file, dpi=90)


def _panel(axes: Axes, panel: Panel, lines: Sequence[Sequence[tuple[int, str]]]) -> None:
    axes.set(xlim=(0, COLUMNS), ylim=(len(lines) + 0.2, -1))
    axes.axis("off")
    axes.text(0, -0.35, panel.title, fontsize=8, weight="bold", va="center")
    colours = colormaps["RdBu_r"]
    for row, line in enumerate(lines):
        for column, (position, character) in enumerate(line):
            # The dark ends of the colour map are left out, so that black text stays readable.
            ground = colours(0.5 + 0.36 * float(panel.activations[position]))
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=ground, lw=0))
            if not character.isspace():
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    character,
                    fontsize=7,
                    family="monospace",
                    ha="center",
                    va="center",
                    parse_math=False,
                )
