"""A tiny checkpoint with random weights, peaked enough to be sure of what it predicts."""

from pathlib import Path

import numpy as np

from model.checkpoint import expected_shapes, save
from model.config import NetworkConfig

CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz().,_é"


def save_tiny_checkpoint(
    folder: Path, cell: str = "lstm", layers: int = 1, hidden: int = 32, seed: int = 0
) -> Path:
    """Writes a network whose weights come from `seed` and returns its folder."""
    config = NetworkConfig(cell, layers, hidden, CHARACTERS)
    random = np.random.default_rng(seed)
    weights = {
        name: random.normal(0, 1, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    # Characters of the alphabet come before bytes, which stay possible.
    weights["output.bias"][len(CHARACTERS) :] -= 4
    save(folder, config, weights, {"data": "random weights, for tests"})
    return folder
