"""The C file: no warning, no error that the sanitizers see, the same bits on another processor."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.runtime import native_library
from model.runtime.native_backend import CELLS, NativeNetwork
from model.runtime.numpy_backend import NumpyPool
from model.runtime.quantized import quantize_network
from tests.model.runtime.networks import CONTEXTS, random_checkpoint

SOURCE = native_library.LIBRARY.with_name("step.c")
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]

# Both come with Debian; scripts/install brings them where it may.
AARCH64 = ["aarch64-linux-gnu-gcc", "qemu-aarch64"]
NATIVE = [name for name in ("gcc", "clang") if shutil.which(name)]
FOREIGN = ["neon", "portable"] if all(map(shutil.which, AARCH64)) else []


@pytest.mark.parametrize("compiler", [*NATIVE, *(AARCH64[:1] if FOREIGN else [])])
def test_the_source_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    target = ["-shared", "-fPIC", "-o", str(tmp_path / "step.so")]
    done = subprocess.run(
        [compiler, *FLAGS, "-Wpedantic", SOURCE, *target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", NATIVE[:1])
def test_random_calls_show_the_sanitizers_nothing(
    compiler: str, tmp_path: Path, root: Path
) -> None:
    library = tmp_path / "sanitized.so"
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    subprocess.run(
        [compiler, *FLAGS, *sanitize, "-shared", "-fPIC", SOURCE, "-o", library], check=True
    )
    runtimes = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    # Python itself keeps memory until it ends, which is no leak of ours.
    environment = {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.model.runtime.fuzzing", library, "1"],
        cwd=root,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", FOREIGN)
def test_an_aarch64_processor_gives_the_same_bits(backend: str, tmp_path: Path) -> None:
    compiler, emulator = AARCH64
    program = tmp_path / "harness"
    include = ["-I", str(SOURCE.parent), f"-DBACKEND={backend}"]
    harness = Path(__file__).with_name("harness.c")
    subprocess.run([compiler, *FLAGS, *include, "-static", harness, "-o", program], check=True)
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
        done = subprocess.run(
            [emulator, program],
            input=b"".join(array.tobytes() for array in given),
            capture_output=True,
            check=True,
        )
        assert done.stdout == b"".join(expected)
