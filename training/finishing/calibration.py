"""Calibration of a checkpoint: how often suggestions of each probability were right.

The simulated typist types held-out texts. For each suggestion that it is shown, there is the
network's probability that all of it is right, and whether it was right. A monotone map from the
probability to the share of right suggestions is fitted and becomes part of the checkpoint. The fit
is an isotonic regression over groups of equal size, by the pool-adjacent-violators algorithm
(Ayer et al., 1955).
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

DIAGRAM_FILE = "calibration.png"
# The map is fitted to at most MOST_GROUPS groups of suggestions. Each group has at least
# LEAST_GROUP_SUGGESTIONS, because the share of right ones in a smaller group says little.
MOST_GROUPS = 24
LEAST_GROUP_SUGGESTIONS = 50

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ShownSuggestions:
    """Suggestions that were shown, both arrays of shape (suggestions,).

    `raw` is the network's own probability that all of it is right, `right` whether it was.
    """

    raw: Floats
    right: Bools


@dataclass(frozen=True)
class CalibrationReport:
    """How good a calibration is: expected calibration errors, from 0 to 1.

    `error_before` is the error of the network's own probabilities. For `error_after` a map is
    fitted to each half of the documents and evaluated on the other half. The result is the mean of
    both, weighted by their numbers of suggestions.
    """

    documents: int
    suggestions: int
    error_before: float
    error_after: float


def type_texts(
    runtime: Runtime, texts: Sequence[str], progress: Progress = ignore
) -> list[ShownSuggestions]:
    """The suggestions that the typist is shown in each text, whatever their confidence.

    The runtime must not be calibrated, so that its confidence is the network's own probability.
    Raises ValueError without a text, and for an empty one.
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


def fit_map(found: ShownSuggestions) -> Calibration:
    """The map that is fitted to suggestions; the identity where they are too few."""
    count = min(MOST_GROUPS, len(found.raw) // LEAST_GROUP_SUGGESTIONS)
    if count < 2:
        return Calibration()
    pools: list[tuple[float, float, int]] = []
    for group in equal_bins(found.raw, count):
        pools.append((found.raw[group].mean(), found.right[group].mean(), len(group)))
        # Neighbours are pooled where the share of right ones falls, and where their probabilities
        # are equal in float32.
        while len(pools) > 1 and not _rise(pools[-2], pools[-1]):
            (x, y, n), (u, v, m) = pools.pop(), pools.pop()
            pools.append(((x * n + u * m) / (n + m), (y * n + v * m) / (n + m), n + m))
    inside = [(x, y) for x, y, _ in pools if 0 < np.float32(x) < 1]
    raw = [0.0, *(float(np.float32(x)) for x, _ in inside), 1.0]
    right = [0.0, *(float(np.float32(y)) for _, y in inside), float(np.float32(pools[-1][1]))]
    return Calibration(tuple(raw), tuple(right))


def calibrate(documents: Sequence[ShownSuggestions]) -> tuple[Calibration, CalibrationReport]:
    """The map that is fitted to the suggestions of all documents, and a report of how good it is.

    Raises ValueError where nothing was shown.
    """
    everything = joined(documents)
    count = len(everything.raw)
    if not count:
        raise ValueError("nothing was suggested in these texts, so there is nothing to go by")
    halves = joined(documents[::2]), joined(documents[1::2])
    after = sum(
        len(judged.raw) * calibration_error(calibrated(fit_map(fitted), judged.raw), judged.right)
        for fitted, judged in (halves, halves[::-1])
        if len(judged.raw)
    )
    return fit_map(everything), CalibrationReport(
        documents=len(documents),
        suggestions=count,
        error_before=calibration_error(everything.raw, everything.right),
        error_after=after / count,
    )


def calibrated(calibration: Calibration, raw: Floats) -> Floats:
    """The calibrated probabilities."""
    return np.array([calibration(float(probability)) for probability in raw])


def store(
    folder: Path, calibration: Calibration, report: CalibrationReport, everything: ShownSuggestions
) -> None:
    """Writes the map and the report into a checkpoint, and the diagram beside it.

    The card is written again with the report, where the training is described. Raises OSError where
    the folder cannot be written.
    """
    loaded = checkpoint.load(folder)
    summary = {**loaded.training, "calibration": asdict(report)}
    card = model_card(loaded.name, loaded.config, summary) if "settings" in summary else None
    weights = {**loaded.weights, **calibration.arrays()}
    plot(everything, calibration, report, folder / DIAGRAM_FILE)
    checkpoint.save(folder, loaded.config, weights, summary, card)


def plot(
    found: ShownSuggestions, calibration: Calibration, report: CalibrationReport, file: Path
) -> None:
    """Draws the reliability diagram: the share of right suggestions at each probability.

    It has a curve for the network's own probabilities, and one for the calibrated ones.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color="grey", lw=1, label="as it should be")
    curves: dict[str, tuple[Floats, float]] = {
        "network": (found.raw, report.error_before),
        "calibrated": (calibrated(calibration, found.raw), report.error_after),
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


def _shown(session: Session) -> ShownSuggestions:
    return ShownSuggestions(np.array(session.confidences, float), np.array(session.right, bool))


def joined(documents: Sequence[ShownSuggestions]) -> ShownSuggestions:
    """The suggestions of several documents in one object."""
    nothing = ShownSuggestions(np.zeros(0), np.zeros(0, bool))
    parts = [nothing, *documents]
    return ShownSuggestions(
        np.concatenate([part.raw for part in parts]), np.concatenate([part.right for part in parts])
    )


def _rise(one: tuple[float, float, int], other: tuple[float, float, int]) -> bool:
    return bool(np.float32(one[0]) < np.float32(other[0])) and one[1] <= other[1]
