"""The pictures of the report, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.network.config import for_cell
from training.gradients.experiment import GradientFigures
from training.reporting.plots import save_png

COLOURS = {"elman": "tab:red", "gru": "tab:blue", "lstm": "tab:green"}


def write(figures: GradientFigures, folder: Path) -> None:
    """Writes the pictures into a folder, which may be new."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"radius": _radius, "cells": _cells, "state": _state, "clipping": _clipping}
    for name, drawn in pictures.items():
        save_png(drawn(figures), folder / f"{name}.png", dpi=90)


def _radius(figures: GradientFigures) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for number, at in enumerate(figures.radii):
        label = f"spectral radius {at.radius:g}"
        axes.semilogy(at.flow.relative, color=_shade(number, len(figures.radii)), label=label)
    _by_distance(axes, "Elman, untrained")
    return figure


def _cells(figures: GradientFigures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    before, after = figure.subplots(1, 2, sharey=True)
    for trained in figures.cells:
        style = {"color": for_cell(COLOURS, trained.cell), "label": trained.title}
        before.semilogy(trained.before.relative, **style)
        after.semilogy(trained.after.relative, **style)
    _by_distance(before, "before training")
    _by_distance(after, f"after {figures.settings.steps:,} steps")
    after.set_ylabel("")
    return figure


def _state(figures: GradientFigures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    radii, cells = figure.subplots(1, 2, sharey=True)
    for number, at in enumerate(figures.radii):
        shade = _shade(number, len(figures.radii))
        radii.plot(at.flow.state, color=shade, label=f"{at.radius:g}")
    for trained in figures.cells:
        colour = for_cell(COLOURS, trained.cell)
        cells.plot(trained.before.state, "--", color=colour, alpha=0.6)
        cells.plot(trained.after.state, color=colour, label=trained.title)
    radii.set(
        title="Elman, untrained, by spectral radius",
        ylabel="norm of h (root mean square of its units)",
    )
    cells.set(title="trained; dashed: before training")
    for axes in (radii, cells):
        axes.set(xlabel="characters read", ylim=(0, 1.1))
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", ncols=5, fontsize="small")
    return figure


def _clipping(figures: GradientFigures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    norms, losses = figure.subplots(1, 2)
    for training, colour in zip(figures.clipping, ("tab:red", "tab:blue"), strict=True):
        label = "no clipping" if training.clip is None else f"clipped to {training.clip:g}"
        norms.semilogy(training.norms, color=colour, label=label, lw=0.9)
        losses.plot(_smooth(training.bits), color=colour, label=label)
    norms.set(title="norm of the gradient, before clipping", xlabel="step", ylabel="norm")
    losses.set(title="training loss, mean of 10 steps", xlabel="step", ylabel="bits a character")
    for axes in (norms, losses):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def _by_distance(axes: Axes, title: str) -> None:
    axes.axhline(1, color="black", lw=0.8)
    axes.set(
        title=title,
        xlabel="distance in time (steps before the loss)",
        ylabel="norm of the gradient ÷ norm at distance 0",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _smooth(values: Sequence[float], width: int = 10) -> list[float]:
    """The running mean of each value and the values before it, at most `width` values in all."""
    return [
        sum(values[max(0, end - width) : end]) / min(width, end)
        for end in range(1, len(values) + 1)
    ]


def _shade(number: int, count: int) -> tuple[float, float, float]:
    """From blue (the smallest radius) to red (the largest)."""
    share = number / max(1, count - 1)
    return (share, 0.25, 1 - share)
