"""Writes pictures as PNG files, and plots the loss of a training run."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from model.checkpoint import replace
from training.loop.history import History


def save_png(figure: Figure, file: Path, dpi: int = 110, tight: bool = False) -> None:
    """Writes a figure whole or not at all; `tight` cuts off the empty margins.

    Matplotlib's name and version are left out, so that another version need not change the file.
    """
    content = io.BytesIO()
    box = "tight" if tight else None
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": None}, bbox_inches=box)
    replace(file, content.getvalue())


def plot_loss(history: History, file: Path) -> None:
    """The loss curve: bits a character on training and held-out text, by characters read."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    read = [m.characters / 1e6 for m in history.measurements]
    axes.plot(read, [m.train_bits for m in history.measurements], label="training (running mean)")
    axes.plot(
        read, [m.validation_bits for m in history.measurements], "o-", ms=3, label="validation"
    )
    best = history.best
    axes.annotate(
        f"best {best.validation_bits:.3f}",
        (best.characters / 1e6, best.validation_bits),
        textcoords="offset points",
        xytext=(0, -14),
        ha="right",
    )
    axes.set_xlabel("million characters read")
    axes.set_ylabel("bits a character")
    axes.grid(alpha=0.3)
    axes.legend()
    save_png(figure, file)
