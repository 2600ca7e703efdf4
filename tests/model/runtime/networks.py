"""Random networks for the runtime's tests, and what is compared between its backends."""

import numpy as np

from model.checkpoint import Checkpoint, expected_shapes
from model.config import NetworkConfig
from model.runtime import Pool
from model.runtime.border import Slots

CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz().,_é"


def random_checkpoint(
    cell: str = "lstm", layers: int = 1, hidden: int = 64, seed: int = 0, size: int | None = None
) -> Checkpoint:
    """A network of random weights, large enough to drive every gate to both its ends.

    `size` is how many ids it predicts, at least 1; without it some characters and all bytes.
    """
    characters = CHARACTERS if size is None else "".join(chr(0x400 + i) for i in range(size))
    config = NetworkConfig(cell, layers, hidden, characters, byte_fallback=size is None)
    random = np.random.default_rng(seed)
    weights = {
        name: random.normal(0, 3 / np.sqrt(shape[-1]), shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    return Checkpoint("random", config, weights, {}, "0" * 32)


def everything(pool: Pool, slots: Slots) -> tuple[bytes, ...]:
    """All that a pool says of some slots, as bytes: states, logits, probabilities, best ids."""
    ids, probabilities = pool.best(slots)
    return (
        *(pool.read(int(slot)) for slot in slots),
        pool.logits(slots).tobytes(),
        pool.probabilities(slots).tobytes(),
        ids.tobytes(),
        probabilities.tobytes(),
    )
