"""Tiny checkpoints whose random weights are large enough to give clear predictions."""

from pathlib import Path

import numpy as np

from model.adaptation.parameters import OWN, SHARED, VIEW, Parameters
from model.calibration import Calibration
from model.checkpoint import expected_shapes, save
from model.network.config import NetworkConfig, Weights

# The levels of the rows of contexts, at equal distances.
LEVELS = np.arange(-120, 120, 15).astype(np.int8)
CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz().,_é"


def save_tiny_checkpoint(
    folder: Path, cell: str = "lstm", layers: int = 1, hidden: int = 32, seed: int = 0
) -> Path:
    """Writes a network whose weights come from `seed` and returns its folder."""
    config = NetworkConfig(cell, layers, hidden, CHARACTERS)
    save(folder, config, _drawn(config, seed), {"data": "random weights, for tests"})
    return folder


def save_primed_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Writes a network with contexts, primed for adaptation and calibrated; returns its folder.

    Its parameters of adaptation are random too, so that whatever a page knows changes the answer.
    """
    config = NetworkConfig(
        "lstm",
        1,
        32,
        CHARACTERS,
        contexts=("3", "word"),
        context_width=4,
        context_bits=16,
        opening="a.\n",
    )
    weights = _drawn(config, seed)
    random = np.random.default_rng(seed)
    kept = random.integers(0, 256, (1 << config.context_bits) // 8, np.uint8)
    rows = int(np.bitwise_count(kept).sum())
    weights["contexts.kept"] = kept
    weights["contexts.rows"] = random.integers(0, 256, (rows, config.context_width // 2), np.uint8)
    weights["contexts.levels"] = LEVELS
    weights |= _primed(random, config.hidden).to_arrays()
    weights |= Calibration((0.0, 0.3, 1.0), (0.1, 0.5, 0.9)).arrays()
    save(folder, config, weights, {"data": "random weights, for tests"})
    return folder


def _drawn(config: NetworkConfig, seed: int) -> Weights:
    random = np.random.default_rng(seed)
    weights: Weights = {
        name: random.normal(0, 1, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    # Characters of the alphabet come before bytes, which stay possible.
    weights["output.bias"][len(CHARACTERS) :] -= 4
    return weights


def _primed(random: np.random.Generator, hidden: int) -> Parameters:
    units = 16

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        return random.integers(-20, 21, shape, np.int16)

    return Parameters(
        view=weights(VIEW, hidden),
        first_shared=weights(units, SHARED),
        first_own=weights(units, OWN),
        first_view=weights(units, VIEW),
        first_bias=np.zeros(units, np.int32),
        second_own=weights(units, units),
        second_mean=weights(units, units),
        second_bias=np.zeros(units, np.int32),
        output=weights(units),
        output_bias=np.zeros(1, np.int32),
        shifts=np.array([5, 4, 7, 10], np.int32),
    )
