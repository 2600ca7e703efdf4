"""Every backend gives the bits of ARITHMETIC.md, whatever the batch, its order and its slots."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.runtime import Pool, backends
from model.runtime.reference import Reference
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, everything, fixed_checkpoint, random_checkpoint

COMPILED = [name for name in backends.available() if name != "numpy"]
CELLS = ("elman", "gru", "lstm")
CAPACITY = 40
ROOT = Path(__file__).parents[3]


def test_this_machine_has_compiled_backends() -> None:
    assert COMPILED


@pytest.mark.parametrize("backend", backends.available())
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_state_is_the_one_of_the_reference(cell: str, layers: int, backend: str) -> None:
    runtime = Runtime(random_checkpoint(cell, layers, 48), backend)
    pool = runtime.pool(3)
    reference = Reference(runtime.network)
    pool.start(1)
    for index in np.random.default_rng(1).integers(0, runtime.network.size, 40).tolist():
        pool.step([1], [index])
        reference.step(index)
        assert pool.read(1) == reference.read()
        probabilities = reference.probabilities().numpy()
        assert pool.probabilities([1])[0].tobytes() == probabilities.tobytes()
        assert pool.hidden([1])[0].tobytes() == reference.h[-1].numpy().tobytes()
        best, probability = pool.best([1])
        assert best[0] == probabilities.argmax()
        assert probability[0] == probabilities.max()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("layers", "hidden", "size"),
    [(1, 16, 1), (3, 16, None), (1, 48, 16), (2, 64, 65), (1, 80, None), (2, 160, None)],
)
def test_all_backends_give_the_same_bits_in_random_batches(
    cell: str, layers: int, hidden: int, size: int | None
) -> None:
    checkpoint = random_checkpoint(cell, layers, hidden, seed=hidden, size=size)
    random = np.random.default_rng(hidden)
    pools = [Runtime(checkpoint, name).pool(CAPACITY) for name in backends.available()]
    for pool in pools:
        for slot in range(CAPACITY):
            pool.start(slot)
    for _ in range(15):
        slots = random.permutation(CAPACITY)[: random.integers(1, CAPACITY + 1)]
        ids = random.integers(0, checkpoint.vocabulary.size, len(slots), dtype=np.int32)
        for pool in pools:
            pool.step(slots, ids)
        said = [everything(pool, slots) for pool in pools]
        for one, other in pairwise(said):
            assert one == other


@pytest.mark.parametrize("backend", backends.available())
@pytest.mark.parametrize(
    ("cell", "contexts", "digest"),
    [
        ("elman", (), "2cc55fa73750eab4"),
        ("gru", (), "2dff7627cbbb5207"),
        ("lstm", (), "2e26b59fd7c2ec20"),
        ("lstm", CONTEXTS, "ec7488445fc4b03c"),
    ],
)
def test_bits_are_those_of_earlier_versions(
    cell: str, contexts: tuple[str, ...], digest: str, backend: str
) -> None:
    """A stored state is valid under a later version: its fingerprint does not name the runtime."""
    pool = Runtime(fixed_checkpoint(cell, contexts), backend).pool(3)
    found = hashlib.blake2b(digest_size=8)
    pool.start(1)
    for number in range(60):
        pool.step([1], [number * 37 % pool.network.size])
        found.update(pool.read(1))
        found.update(pool.probabilities([1]).tobytes())
    assert found.hexdigest() == digest


@pytest.mark.parametrize("hidden", [1040, 1056, 2048])
def test_wide_networks_give_the_same_bits(hidden: int) -> None:
    """Beyond 1,040 units numpy sums in double precision, because float32 is not exact there."""
    checkpoint = random_checkpoint("gru", 1, hidden, size=70)
    pools = [Runtime(checkpoint, name).pool(7) for name in backends.available()]
    for pool in pools:
        for slot in range(7):
            pool.start(slot)
        pool.step(range(7), range(7))
    assert len({everything(pool, range(7)) for pool in pools}) == 1


@pytest.mark.parametrize("backend", backends.available())
def test_the_largest_sums_are_exact(backend: str) -> None:
    """All weights and states have their largest magnitude: nothing saturates or overflows."""
    checkpoint = random_checkpoint("lstm", 2, 64)
    for name, weights in checkpoint.weights.items():
        if weights.ndim == 2 and not name.endswith("0.U"):
            weights[:] = np.where(np.arange(64) % 2, 1, -1) * 0.5
    runtime = Runtime(checkpoint, backend)
    pool, exact = runtime.pool(5), Reference(runtime.network)
    ends = np.where(np.arange(64) % 2, 127, -127).astype(np.int8)
    state = (ends.tobytes() + np.ones(64, "<f4").tobytes()) * 2
    for slot in range(5):
        pool.write(slot, state)
    exact.h = [torch.from_numpy(ends)] * 2
    exact.c = [torch.ones(64)] * 2
    pool.step(range(5), [3] * 5)
    exact.step(3)
    assert {pool.read(slot) for slot in range(5)} == {exact.read()}


@pytest.mark.parametrize("backend", backends.available())
def test_a_text_absorbed_whole_leads_to_the_state_of_its_steps(backend: str) -> None:
    runtime = Runtime(random_checkpoint("gru", 2), backend)
    random = np.random.default_rng(2)
    texts = [random.integers(0, runtime.network.size, n, dtype=np.int32) for n in (5, 0, 30, 12)]
    pool = runtime.pool(8)
    for slot in range(8):
        pool.start(slot)
    pool.absorb([6, 1, 2, 4], texts)
    for slot, absorbed, text in zip((0, 3, 5, 7), (6, 1, 2, 4), texts, strict=True):
        for index in text:
            pool.step([slot], [index])
        assert pool.read(slot) == pool.read(absorbed)


@pytest.mark.parametrize("backend", COMPILED)
def test_two_threads_step_two_pools_of_one_runtime(backend: str) -> None:
    runtime = Runtime(random_checkpoint("lstm", 1, 256), backend)
    texts = np.random.default_rng(3).integers(0, runtime.network.size, (2, 20, 200))

    def read(batch: int) -> tuple[bytes, ...]:
        pool = runtime.pool(20)
        for slot in range(20):
            pool.start(slot)
        for at in range(200):
            pool.step(range(20), texts[batch, :, at])
        return everything(pool, range(20))

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(read, range(2)))
    assert together == [read(0), read(1)]


@pytest.mark.parametrize("backend", COMPILED)
def test_a_thread_that_drops_denormals_gets_the_same_bits(backend: str) -> None:
    checkpoint = random_checkpoint("lstm", 1, 32)
    # Where every gate is one half and the candidate is zero, a step halves the cells.
    checkpoint = replace(checkpoint, weights={n: w * 0 for n, w in checkpoint.weights.items()})
    pool = Runtime(checkpoint, backend).pool(1)
    cells = np.linspace(1e-38, 1e-36, 32, dtype="<f4")
    pool.write(0, bytes(32) + cells.tobytes())
    torch.set_flush_denormal(True)
    try:
        pool.absorb([0], [np.zeros(6, np.int32)])
    finally:
        torch.set_flush_denormal(False)
    left = np.frombuffer(pool.read(0), "<f4", 32, 32)
    for _ in range(6):
        cells = cells * np.float32(0.5)
    assert left.tobytes() == cells.tobytes()
    assert (left < np.finfo(np.float32).tiny).any()


@pytest.mark.parametrize("folder", sorted((ROOT / "checkpoints").glob("*/")), ids=lambda f: f.name)
def test_a_trained_checkpoint_completes_alike_along_20000_characters(folder: Path) -> None:
    checkpoint = load(folder)
    text = (Path(os.__file__).parent / "argparse.py").read_text("utf-8")[:20_000]
    ids = checkpoint.vocabulary.encode(text)
    stretches = np.array_split(ids, 40)
    runtimes = [Runtime(checkpoint, name) for name in backends.available()]
    pools = [runtime.pool(2) for runtime in runtimes]
    for pool in pools:
        pool.start(0)
    for stretch in stretches:
        said = []
        for pool in pools:
            pool.absorb([0], [stretch])
            said.append((everything(pool, [0]), *_greedy(pool, 24)))
        for one, other in pairwise(said):
            assert one == other
    options = Options(min_confidence=0)
    answers = {complete(runtime, text[:2000], options, top=3) for runtime in runtimes}
    assert len(answers) == 1


def _greedy(pool: Pool, steps: int) -> list[tuple[int, float]]:
    pool.write(1, pool.read(0))
    chosen = []
    for _ in range(steps):
        ids, probabilities = pool.best([1])
        chosen.append((int(ids[0]), float(probabilities[0])))
        pool.step([1], ids)
    return chosen
