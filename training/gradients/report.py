"""Writes the report in Markdown. It follows from the figures alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from model.checkpoint import replace
from training.gradients import plots
from training.gradients.experiment import FIGURES, GradientFigures
from training.gradients.measure import REACHED, SATURATED, Flow

FIGURES_FILE = "figures.json"
COMMAND = ".venv/bin/nextchar gradients"
# The figures are kept with this many significant digits.
DIGITS = 4


def write(figures: GradientFigures, file: Path) -> GradientFigures:
    """Writes the report to `file`, and figures and pictures into a folder named like it.

    The folder's name is the file's without its suffix. Returns the figures as they are kept,
    rounded to DIGITS significant digits. Raises OSError.
    """
    folder = file.with_suffix("")
    kept = FIGURES.validate_python(_rounded(figures.to_json()))
    plots.write(kept, folder)
    compact = json.dumps(kept.to_json(), ensure_ascii=False, separators=(",", ":"))
    replace(folder / FIGURES_FILE, (compact + "\n").encode())
    replace(file, render(kept, folder.name).encode())
    return kept


def read(file: Path) -> GradientFigures:
    """The figures of a report that was written before.

    Raises OSError, and ValueError for other content.
    """
    content = (file.with_suffix("") / FIGURES_FILE).read_bytes()
    return FIGURES.validate_json(content)


def render(figures: GradientFigures, folder: str) -> str:
    """The page in Markdown; `folder` names the folder beside it with the pictures."""
    settings = figures.settings
    parts = [
        f"<!-- Written by `{COMMAND}`; run it again instead of editing. -->",
        "# Gradients through time",
        "What happens if the state is transformed too much from step to step? The gradient of a "
        "late loss by an early state is a product of Jacobians, one for each step: ∂h_t/∂h_{t-1} = "
        "diag(1 − h_t²) W in an Elman cell. Where the Jacobians shrink the gradient, it vanishes "
        "with the distance; where they stretch it, it explodes (Deep Learning, Goodfellow et al., "
        "2016, sections 8.2.5 and 10.7). This page measures both, and what helps.",
        f"```sh\n{COMMAND}\n```",
        "writes this page, its pictures and "
        f"[the figures behind them]({folder}/{FIGURES_FILE}) again, in a minute or two on one "
        f"core. The text is {figures.text}: {figures.characters:,} characters, of which "
        f"{figures.vocabulary} are different ones. The last tenth is held out, and everything is "
        f"measured there, on {settings.passages} passages. All networks have one layer of "
        f"{settings.hidden} units and begin from the same seed.",
        "## Below, at and above a spectral radius of 1",
        "These are untrained Elman networks. W is scaled to a spectral radius (the largest "
        f"magnitude of an eigenvalue), and U to a standard deviation of {settings.quiet:g}, so "
        "that the inputs alone do not saturate the units.",
        f"![The gradient by distance for each radius]({folder}/radius.png)",
        _table(
            (
                "spectral radius",
                "a step multiplies the norm by",
                "10 steps back",
                f"{settings.distance} steps back",
                "the gradient",
                "saturated",
                "norm of the state",
            ),
            (
                (
                    f"{at.radius:g}",
                    f"{at.flow.rate:.3f}",
                    _number(at.flow.relative[10]),
                    _number(at.flow.relative[-1]),
                    _verdict(at.flow),
                    _percent(at.flow.saturated),
                    f"{at.flow.state[-1]:.2f}",
                )
                for at in figures.radii
            ),
        ),
        f"A value of tanh is saturated above {SATURATED:g} in magnitude: it lets less than a tenth "
        "of the gradient through. The norm of the state is the root mean square of its units at "
        "the end of a passage. Where W stretches, the state grows until tanh bends it back. "
        "Saturated units hold the gradient back. Therefore an explosion is slower than the power "
        "of the radius, and a radius a little above 1 need not explode at all.",
        "## Three kinds of cell",
        "Elman, GRU and LSTM cells of equal size are trained on the same text and budget: "
        f"{settings.steps:,} steps of {settings.streams} × {settings.window} characters, AdamW, "
        f"gradients clipped to a norm of {settings.clip:g}. The gradient is by the whole state of "
        "the layer: h, and in an LSTM also the memory c. Its reach is the distance up to which it "
        f"keeps {_percent(REACHED)} of its norm.",
        f"![The gradient by distance for each kind of cell]({folder}/cells.png)",
        _table(
            (
                "cell",
                "parameters",
                "held-out bits a character",
                "reach before",
                "reach after",
                "50 steps back, after",
                "saturated before",
                "saturated after",
            ),
            (
                (
                    trained.title,
                    f"{trained.parameters:,}",
                    f"{trained.bits_per_character:.2f}",
                    str(trained.before.reach),
                    str(trained.after.reach),
                    _number(trained.after.relative[min(50, settings.distance)]),
                    _percent(trained.before.saturated),
                    _percent(trained.after.saturated),
                )
                for trained in figures.cells
            ),
        ),
        "An Elman cell rewrites its whole state at every step, so the gradient passes through W "
        "and tanh each time. A GRU carries z ⊙ h over from step to step, an LSTM f ⊙ c. Where such "
        "a gate is open, the gradient is multiplied by a factor near 1. A saturated gate is no "
        "fault: a cell remembers by an open gate, and forgets by a shut one.",
        "## The norm of the state along a text",
        "The text is read from the empty state on. The norm must neither fall to 0 nor rise to 1, "
        "because a unit that stays at ±1 carries no information.",
        f"![The norm of the state by position]({folder}/state.png)",
        "## Clipping",
        f"An Elman network begins at a spectral radius of {settings.clipping_radius:g}. It is "
        f"trained for {settings.clipping_steps:,} steps by plain gradient descent at a learning "
        f"rate of {settings.clipping_rate:g}, so that an exploding gradient is an exploding step. "
        "One training leaves the gradient as it is; the other scales it down to a norm of "
        f"{settings.clip:g} where it is longer.",
        f"![The norm of the gradient and the loss, by step]({folder}/clipping.png)",
        _table(
            ("gradient", "largest norm", "median norm", "bits a character at the end"),
            (
                (
                    "as it is" if each.clip is None else f"clipped to {each.clip:g}",
                    _number(max(each.norms)),
                    _number(sorted(each.norms)[len(each.norms) // 2]),
                    f"diverged after {len(each.bits)} steps"
                    if each.diverged
                    else f"{each.final_bits:.2f}",
                )
                for each in figures.clipping
            ),
        ),
        "Clipping keeps the direction of the step and bounds its length, so that one explosion no "
        "longer undoes what was learnt. It does not help a gradient that has vanished; gates do.",
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(flow: Flow) -> str:
    end = flow.relative[-1]
    if end < REACHED:
        return "vanishes"
    return "explodes" if end > 1 / REACHED else "holds"


def _number(value: float) -> str:
    """Two significant digits, as a power of ten where that is shorter."""
    if 0.01 <= value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    exponent = math.floor(math.log10(value))
    return f"{value / 10**exponent:.1f} · 10{str(exponent).translate(SUPERSCRIPT)}"


SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
