"""Random networks for the runtime's tests, and what is compared between its backends."""

import math

import numpy as np

from model.checkpoint import Checkpoint, expected_shapes
from model.network.config import NetworkConfig, Weights
from model.network.contexts import pack_bits
from model.runtime import Pool
from model.runtime.arithmetic import Floats
from model.runtime.border import Slots

CONTEXTS = ("2", "5", "16", "word", "words")
LEVELS = np.array((-127, -74, -49, -34, -24, -16, -10, -5, 0, 6, 12, 20, 29, 42, 63, 102), np.int8)
CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz().,_é"


def random_checkpoint(
    cell: str = "lstm",
    layers: int = 1,
    hidden: int = 64,
    seed: int = 0,
    size: int | None = None,
    contexts: tuple[str, ...] = (),
    width: int = 12,
    bits: int = 16,
) -> Checkpoint:
    """A network of random weights, large enough to drive every gate to both its ends.

    `size` is how many ids it predicts, at least 1; by default these are some characters and all
    bytes. `contexts` lead to a table of 2^`bits` rows of `width` numbers; half of them are kept.
    """
    characters = CHARACTERS if size is None else letters(size)
    config = NetworkConfig(
        cell,
        layers,
        hidden,
        characters,
        size is None,
        contexts,
        width if contexts else 0,
        bits if contexts else 0,
    )
    random = np.random.default_rng(seed)
    weights: Weights = {
        name: random.normal(0, 3 / np.sqrt(shape[-1]), shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    if contexts:
        kept = np.sort(random.choice(1 << bits, 1 << bits - 1, replace=False))
        weights["contexts.kept"] = pack_bits(kept, bits)
        weights["contexts.rows"] = random.integers(0, 256, (len(kept), width // 2), np.uint8)
        weights["contexts.levels"] = LEVELS
    return Checkpoint("random", config, weights, {}, "0" * 32)


def letters(count: int) -> str:
    """Characters in words, then some that are in none."""
    outside = "!()*+,-./:;" if count > 11 else ""
    return "".join(chr(0x400 + i) for i in range(count - len(outside))) + outside


def everything(pool: Pool, slots: Slots) -> tuple[bytes, ...]:
    """All that a pool returns for some slots, as bytes: states, logits, distributions and so on."""
    ids, probabilities = pool.best(slots)
    return (
        *(pool.read(int(slot)) for slot in slots),
        pool.logits(slots).tobytes(),
        pool.probabilities(slots).tobytes(),
        pool.hidden(slots).tobytes(),
        ids.tobytes(),
        probabilities.tobytes(),
    )


def fixed_checkpoint(cell: str, contexts: tuple[str, ...] = ()) -> Checkpoint:
    """A network whose weights come from a formula, so that tests can state its bits."""
    config = NetworkConfig(
        cell, 2, 48, "abcdefgh (", True, contexts, 12 * bool(contexts), 16 * bool(contexts)
    )
    weights: Weights = {
        name: _spread(shape, number * 1_000_003)
        for number, (name, shape) in enumerate(expected_shapes(config).items())
    }
    if contexts:
        kept = np.arange(0, 1 << 16, 3)
        weights["contexts.kept"] = pack_bits(kept, 16)
        weights["contexts.rows"] = (np.arange(len(kept) * 6) * 89 % 255 + 1).astype(np.uint8)
        weights["contexts.rows"].shape = (len(kept), 6)
        weights["contexts.levels"] = LEVELS
    return Checkpoint("fixed", config, weights, {}, "0" * 32)


def _spread(shape: tuple[int, ...], begin: int) -> Floats:
    """Numbers around zero without a visible order; the longer a row is, the smaller they are."""
    numbers = np.arange(begin, begin + math.prod(shape)) * 2654435761 % 2**32
    around: Floats = ((numbers / 2**32 - 0.5) * 8 / np.sqrt(shape[-1])).astype(np.float32)
    return around.reshape(shape)
