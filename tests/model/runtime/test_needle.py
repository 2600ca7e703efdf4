"""The needle: a text read alone, and again at a random place in a batch, gives the same bits.

The inverse shows that the test can fail: a library's float32 products do not pass it.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.runtime import Pool, backends
from model.runtime.arithmetic import Floats, quantize
from model.runtime.border import Slots
from model.runtime.pool import Ids
from model.runtime.quantized import quantize_network
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, random_checkpoint

NEEDLE = np.random.default_rng(9).integers(0, 30, 16, dtype=np.int32)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return random_checkpoint("lstm", 1, 256)


@pytest.fixture(scope="module")
def with_contexts() -> Checkpoint:
    return random_checkpoint("lstm", 1, 256, contexts=CONTEXTS)


def mismatches(alone: Pool, crowded: Pool, tries: int) -> int:
    """In how many of some batches of 64 to 128 the needle's states or probabilities differ."""
    random = np.random.default_rng(10)
    found = 0
    needle = alone.acquire()
    for _ in range(tries):
        slots = random.permutation(crowded.capacity)[: random.integers(64, 129)]
        place = random.integers(len(slots))
        alone.start(needle)
        for slot in slots.tolist():
            crowded.start(slot)
        differs = False
        for index in NEEDLE.tolist():
            ids = random.integers(0, 30, len(slots))
            ids[place] = index
            alone.step([needle], [index])
            crowded.step(slots, ids)
            differs |= alone.read(needle) != crowded.read(int(slots[place]))
            differs |= (
                alone.probabilities([needle])[0] != crowded.probabilities(slots)[place]
            ).any()
        found += differs
    return found


@pytest.mark.parametrize("backend", backends.available())
def test_a_needle_is_the_same_alone_and_in_a_batch(checkpoint: Checkpoint, backend: str) -> None:
    runtime = Runtime(checkpoint, backend)
    assert mismatches(runtime.pool(1), runtime.pool(128), tries=6) == 0


@pytest.mark.parametrize("backend", backends.available())
def test_a_needle_with_contexts_is_the_same_too(with_contexts: Checkpoint, backend: str) -> None:
    runtime = Runtime(with_contexts, backend)
    assert mismatches(runtime.pool(1), runtime.pool(128), tries=4) == 0


def test_the_needle_test_notices_a_librarys_float32_products(checkpoint: Checkpoint) -> None:
    assert mismatches(TorchPool(checkpoint, 1), TorchPool(checkpoint, 128), tries=2) > 0


class TorchPool(Pool):
    """The same network in float32 with torch's matrix products, as a server would run it."""

    def __init__(self, checkpoint: Checkpoint, capacity: int) -> None:
        super().__init__(quantize_network(checkpoint), capacity)
        weights = {name: torch.from_numpy(w) for name, w in checkpoint.weights.items()}
        self._U, self._W, self._b = (weights[f"cells.0.{part}"] for part in "UWb")
        self._V, self._bias = weights["output.weight"], weights["output.bias"]
        self._h, self._c = torch.zeros((2, capacity, checkpoint.config.hidden))

    def step(self, slots: Slots, ids: object) -> None:
        at = torch.as_tensor(np.asarray(slots))
        x = self._U.T[torch.as_tensor(np.asarray(ids))] + self._b
        i, f, g, o = (x + self._h[at] @ self._W.T).chunk(4, dim=1)
        self._c[at] = f.sigmoid() * self._c[at] + i.sigmoid() * g.tanh()
        self._h[at] = o.sigmoid() * self._c[at].tanh()

    def logits(self, slots: Slots) -> Floats:
        at = torch.as_tensor(np.asarray(slots))
        found: Floats = (self._h[at] @ self._V.T + self._bias).numpy()
        return found

    def hidden(self, slots: Slots) -> NDArray[np.int8]:
        found: NDArray[np.int8] = quantize(self._h[slots].numpy()).astype(np.int8)
        return found

    def clear(self, slot: int) -> None:
        self._h[slot], self._c[slot] = 0, 0

    def read(self, slot: int) -> bytes:
        return bytes(self._h[slot].numpy()) + bytes(self._c[slot].numpy())

    def write(self, slot: int, state: bytes) -> None:
        self._h[slot], self._c[slot] = torch.from_numpy(
            np.frombuffer(state, np.float32).reshape(2, -1).copy()
        )


def test_an_id_is_read_as_a_row_of_the_input(checkpoint: Checkpoint) -> None:
    """The float32 network above is the same network: it ranks the next ids alike."""
    ours, floats = Runtime(checkpoint).pool(1), TorchPool(checkpoint, 1)
    ids: Ids = NEEDLE[:8]
    for pool in (ours, floats):
        pool.start(0)
        pool.absorb([0], [ids])
    assert np.abs(ours.probabilities([0]) - floats.probabilities([0])).max() < 0.2
