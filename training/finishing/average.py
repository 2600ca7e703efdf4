"""Averages two finished networks of one shape, the second of which began with the first.

The mean of both is better than either (Izmailov et al., "Averaging weights leads to wider optima",
2018). The tables of both were learnt from the same text, and their sum would count it twice.
Therefore the shares of the tables need not add up to 1.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from model import checkpoint
from model.checkpoint import Checkpoint
from model.errors import CheckpointError, ModelError
from model.network.config import Weights
from model.network.network import Network
from training.corpus import Corpus
from training.evaluation.validation import Validation
from training.finishing.quantization import (
    VALIDATION_CHARACTERS,
    QuantizationCost,
    finish_checkpoint,
)
from training.finishing.shares import AverageShares
from training.reporting.card import model_card

# These parts of a training's summary describe a checkpoint as it is served. They are not taken over
# from the second network, because the mean gets its own.
SERVED_FIGURES = ("quantization", "adaptation", "calibration", "metrics")


def average_networks(first: Checkpoint, second: Checkpoint, shares: AverageShares) -> Network:
    """The mean of the networks, with the rows that the second one keeps.

    A row that the first one does not keep gets the shares of both tables. Raises ModelError where
    the networks differ in shape or vocabulary.
    """
    if replace(first.config, opening="") != replace(second.config, opening=""):
        raise ModelError(f"{second.name} has another shape or vocabulary than {first.name}")
    one, other = Network(first.config), Network(second.config)
    one.load_weights(first.weights)
    other.load_weights(second.weights)
    levels = [_normalise_columns(network) for network in (one, other)]
    of_first, of_second = shares.tables
    with torch.no_grad():
        for mean, old in zip(other.parameters(), one.parameters(), strict=True):
            mean.lerp_(old, 1 - shares.share)
        if one.contexts is not None and other.contexts is not None:
            kept = np.flatnonzero(np.unpackbits(other.contexts.kept.kept, bitorder="little"))
            slots = torch.from_numpy(one.contexts.kept.slots(kept))
            known = (slots < one.contexts.kept.count).float()[:, None]
            rows = other.contexts.rows[:-1]
            rows.mul_(levels[1] * (of_second + of_first * (1 - known)))
            rows.add_(one.contexts.rows[slots], alpha=levels[0] * of_first)
    return other


def average_checkpoints(
    first: Path, second: Path, corpus: Corpus, out: Path, shares: AverageShares
) -> QuantizationCost:
    """Writes the mean of two checkpoints to `out`, ready to be served; `out` may be one of the two.

    `corpus` is what they were trained on. Nothing in `out` is replaced before the mean is finished.
    Raises ModelError for checkpoints that have no mean, QuantizationError where serving the mean in
    integers would cost too much, and OSError where `out` cannot be written.
    """
    loaded = checkpoint.load(first), checkpoint.load(second)
    mean = average_networks(*loaded, shares)
    trained = loaded[1]
    held_out = Validation(corpus.validation, trained.vocabulary, VALIDATION_CHARACTERS)
    described = {
        "average": {"share": shares.share, "tables": list(shares.tables)},
        "validation_bits_per_character": round(held_out.bits_per_character(mean), 4),
    }
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".average-") as folder:
        made = Path(folder) / out.resolve().name
        _save(made, trained, mean.weights(), described)
        cost = finish_checkpoint(made, corpus)
        curve = second / "loss.png"
        if curve.is_file():
            shutil.copy(curve, made)
        for file in sorted(made.iterdir()):
            checkpoint.replace(out / file.name, file.read_bytes())
    return cost


def _normalise_columns(network: Network) -> float:
    """Divides the output layer's columns for the contexts by their root mean square; returns it.

    Rows times this number then have the same scale in both networks, and can be averaged.
    """
    with torch.no_grad():
        columns = network.output.weight[:, network.config.hidden :]
        level = float(columns.square().mean().sqrt()) if columns.numel() else 0.0
        level = level or 1.0
        columns.div_(level)
    return level


def _save(folder: Path, second: Checkpoint, weights: Weights, described: Mapping[str, Any]) -> None:
    """Writes the mean as a network that is trained but not yet finished.

    Raises CheckpointError where the second network's training is not described.
    """
    if "settings" not in second.training:
        raise CheckpointError(f"{second.name} does not tell how it was trained")
    kept = {name: v for name, v in second.training.items() if name not in SERVED_FIGURES}
    summary = {**kept, **described}
    card = model_card(folder.name, second.config, summary)
    checkpoint.save(folder, second.config, weights, summary, card)
