"""Calibration of a checkpoint: how often suggestions of each probability were right.

The simulated typist types held-out texts; each suggestion that it is shown gives the probability
that the network had for the whole of it, and whether that came. A monotone map from the one to the
other is fitted (isotonic regression: the pool-adjacent-violators algorithm of Ayer et al., 1955,
over groups of equal size) and becomes part of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model import checkpoint
from model.calibration import Calibration
from model.decoding.options import Options
from model.served import Runtime
from training.evaluation.evaluation import STRETCH, type_out
from training.evaluation.figures import BINS, Session, calibration_error, equal_bins
from training.evaluation.scoring import Progress, ignore, read
from training.evaluation.suggestions import suggest
from training.reporting.card import model_card
from training.reporting.plots import save_png

PICTURE = "calibration.png"
GROUPS = 24
"""Groups of suggestions that the map is fitted to, at most."""
SMALLEST_GROUP = 50

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """Suggestions that were shown: the network's probability of each, and whether it came.

    Both have the shape (suggestions,).
    """

    raw: Floats
    right: Bools


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration is worth: expected calibration errors, from 0 to 1.

    `error_before` is that of the network's own probabilities, `error_after` that on documents that
    the map was not fitted to: the mean of both halves, each with the map of the other one.
    """

    documents: int
    suggestions: int
    error_before: float
    error_after: float


def shown(runtime: Runtime, texts: Sequence[str], progress: Progress = ignore) -> list[Shown]:
    """What the typist is shown in each text, whatever its confidence.

    `runtime` is not calibrated, so that this is the network's own. Raises ValueError without a
    text, and for an empty one.
    """
    if not texts or not all(texts):
        raise ValueError("texts to calibrate on: at least one, and none of them empty")
    options = Options(min_confidence=0)
    readings = read(runtime, texts, STRETCH, progress)
    suggestions = suggest(runtime, texts, readings, options, progress)
    return [
        _shown(type_out(text, source, options))
        for text, source in zip(texts, suggestions, strict=True)
    ]


def fit(found: Shown) -> Calibration:
    """The map fitted to some suggestions; the identity where there are too few."""
    count = min(GROUPS, len(found.raw) // SMALLEST_GROUP)
    if count < 2:
        return Calibration()
    pools: list[tuple[float, float, int]] = []
    for group in equal_bins(found.raw, count):
        pools.append((found.raw[group].mean(), found.right[group].mean(), len(group)))
        # Neighbours that fall become one, and so does what float32 cannot tell apart.
        while len(pools) > 1 and not _rise(pools[-2], pools[-1]):
            (x, y, n), (u, v, m) = pools.pop(), pools.pop()
            pools.append(((x * n + u * m) / (n + m), (y * n + v * m) / (n + m), n + m))
    inside = [(x, y) for x, y, _ in pools if 0 < np.float32(x) < 1]
    raw = [0.0, *(float(np.float32(x)) for x, _ in inside), 1.0]
    right = [0.0, *(float(np.float32(y)) for _, y in inside), float(np.float32(pools[-1][1]))]
    return Calibration(tuple(raw), tuple(right))


def calibrate(documents: Sequence[Shown]) -> tuple[Calibration, CalibrationReport]:
    """The map fitted to what was shown in all documents, and what maps of half of them are worth.

    Raises ValueError where nothing was shown.
    """
    everything = together(documents)
    count = len(everything.raw)
    if not count:
        raise ValueError("nothing was suggested in these texts, so there is nothing to go by")
    halves = together(documents[::2]), together(documents[1::2])
    after = sum(
        len(judged.raw) * calibration_error(applied(fit(fitted), judged.raw), judged.right)
        for fitted, judged in (halves, halves[::-1])
        if len(judged.raw)
    )
    return fit(everything), CalibrationReport(
        documents=len(documents),
        suggestions=count,
        error_before=calibration_error(everything.raw, everything.right),
        error_after=after / count,
    )


def applied(calibration: Calibration, raw: Floats) -> Floats:
    """The calibrated probabilities."""
    return np.array([calibration(float(probability)) for probability in raw])


def store(
    folder: Path, calibration: Calibration, report: CalibrationReport, everything: Shown
) -> None:
    """Writes the map into a checkpoint, its diagram and, where there is a card, what it says.

    Raises OSError where the folder cannot be written.
    """
    loaded = checkpoint.load(folder)
    summary = {**loaded.training, "calibration": asdict(report)}
    card = model_card(loaded.name, loaded.config, summary) if "settings" in summary else None
    weights = {**loaded.weights, **calibration.arrays()}
    plot(everything, calibration, report, folder / PICTURE)
    checkpoint.save(folder, loaded.config, weights, summary, card)


def plot(found: Shown, calibration: Calibration, report: CalibrationReport, file: Path) -> None:
    """The reliability diagram: the share that was right by the probability, before and after."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color="grey", lw=1, label="as it should be")
    curves: dict[str, tuple[Floats, float]] = {
        "network": (found.raw, report.error_before),
        "calibrated": (applied(calibration, found.raw), report.error_after),
    }
    for name, (given, error) in curves.items():
        bins = equal_bins(given, 2 * BINS)
        means = [given[b].mean() for b in bins], [found.right[b].mean() for b in bins]
        axes.plot(*means, "o-", ms=3, label=f"{name}: off by {100 * error:.1f} %")
    axes.set_xlabel("probability that the whole suggestion is right")
    axes.set_ylabel("share that was")
    axes.set_title(f"{report.suggestions:,} suggestions in {report.documents:,} documents")
    axes.grid(alpha=0.3)
    axes.legend()
    save_png(figure, file)


def to_json(
    calibration: Calibration, report: CalibrationReport, fingerprint: str
) -> dict[str, Any]:
    """One object: the figures, the knots, and the checkpoint's new fingerprint."""
    knots = {"raw": list(calibration.raw), "right": list(calibration.right)}
    return {"fingerprint": fingerprint, **asdict(report), "knots": knots}


def _shown(session: Session) -> Shown:
    return Shown(np.array(session.confidences, float), np.array(session.right, bool))


def together(documents: Sequence[Shown]) -> Shown:
    """What was shown in all of some documents."""
    nothing = Shown(np.zeros(0), np.zeros(0, bool))
    parts = [nothing, *documents]
    return Shown(
        np.concatenate([part.raw for part in parts]), np.concatenate([part.right for part in parts])
    )


def _rise(one: tuple[float, float, int], other: tuple[float, float, int]) -> bool:
    return bool(np.float32(one[0]) < np.float32(other[0])) and one[1] <= other[1]
