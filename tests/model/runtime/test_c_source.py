"""The C file: no warning, no error that the sanitizers see, the same bits on another processor."""

from pathlib import Path

import numpy as np
import pytest

from model.runtime import native_library
from model.runtime.native_backend import CELLS, NativeNetwork
from model.runtime.numpy_backend import NumpyPool
from model.runtime.quantized import quantize_network
from tests.model import compiling
from tests.model.runtime.networks import CONTEXTS, random_checkpoint

SOURCE = native_library.LIBRARY.with_name("step.c")


@pytest.mark.parametrize("compiler", compiling.COMPILERS)
def test_the_source_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    done = compiling.compile_strictly(compiler, SOURCE, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", compiling.NATIVE[:1])
def test_random_calls_show_the_sanitizers_nothing(compiler: str, tmp_path: Path) -> None:
    fuzzing = "tests.model.runtime.fuzzing"
    done = compiling.run_sanitized(compiler, SOURCE, tmp_path, fuzzing, "1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["neon", "portable"] if compiling.FOREIGN else [])
def test_an_aarch64_processor_gives_the_same_bits(backend: str, tmp_path: Path) -> None:
    harness = Path(__file__).with_name("harness.c")
    program = compiling.compile_for_aarch64(harness, SOURCE, tmp_path, f"-DBACKEND={backend}")
    for cell, layers, hidden, size, contexts in (
        ("elman", 1, 48, 20, ()),
        ("elman", 2, 64, 70, CONTEXTS),
        ("gru", 2, 32, 20, ()),
        ("lstm", 2, 48, None, ()),
        ("lstm", 1, 32, None, CONTEXTS),
    ):
        network = quantize_network(
            random_checkpoint(cell, layers, hidden, size=size, contexts=contexts)
        )
        pool = NumpyPool(network, 5)
        random = np.random.default_rng(hidden)
        native = NativeNetwork(network, backend)
        head = [CELLS.index(cell), layers, hidden, network.size, pool.capacity]
        table = network.contexts.table if network.contexts else None
        rows = table.rows.shape if table else (0, 0)
        head += [len(contexts), 2 * rows[1], network.config.context_bits, rows[0]]
        given = [np.array(head, "<i8"), *native.arrays]
        if table:
            given += [table.kept, table.ranks, table.rows]
        expected = []
        for _ in range(8):
            count = int(random.integers(1, 6))
            slots, ids = random.permutation(5)[:count], random.integers(0, network.size + 1, count)
            given += [np.array([count], "<i8"), slots.astype("<i8"), ids.astype("<i8")]
            pool.step(slots, ids)
            expected += [pool.read(slot) for slot in range(5)]
            best, probability = pool.best(slots)
            said = (pool.logits(slots), pool.probabilities(slots), best, probability)
            expected += [part.tobytes() for part in said]
        assert compiling.run_on_aarch64(program, given) == b"".join(expected)
