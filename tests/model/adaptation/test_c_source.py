"""The C file: no warning, no error that the sanitizers see, the same bits on another processor."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.adaptation import native, tables
from model.adaptation.index import Symbols
from model.adaptation.native import in_pairs
from model.adaptation.plain import PlainEngine
from tests.model.adaptation.fuzzing import PIECES, VOCABULARY, distributions, run
from tests.model.adaptation.primed import network_output, random_parameters

SOURCE = native.LIBRARY.with_name("adapt.c")
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]

# Both come with Debian; scripts/install brings them where it may.
AARCH64 = ["aarch64-linux-gnu-gcc", "qemu-aarch64"]
NATIVE = [name for name in ("gcc", "clang") if shutil.which(name)]
FOREIGN = [AARCH64] if all(map(shutil.which, AARCH64)) else []


@pytest.mark.parametrize("compiler", [*NATIVE, *(AARCH64[:1] if FOREIGN else [])])
def test_the_source_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    target = ["-shared", "-fPIC", "-o", str(tmp_path / "adapt.so")]
    done = subprocess.run(
        [compiler, *FLAGS, "-Wpedantic", SOURCE, *target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_give_the_same_bits(seed: int) -> None:
    run(seed)


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
        [sys.executable, "-m", "tests.model.adaptation.fuzzing", library, "7", "8"],
        cwd=root,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("compiler", "emulator"), FOREIGN)
def test_an_aarch64_processor_gives_the_same_bits(
    compiler: str, emulator: str, tmp_path: Path
) -> None:
    program = tmp_path / "harness"
    harness = Path(__file__).with_name("harness.c")
    include = ["-I", str(SOURCE.parent)]
    subprocess.run([compiler, *FLAGS, *include, "-static", harness, "-o", program], check=True)
    symbols, parameters = Symbols.of(VOCABULARY), random_parameters(5, units=301)
    engine = PlainEngine(parameters, symbols)
    ids, pushed = np.resize(np.concatenate(PIECES), 500), [3, 4, 5, 0, 1, 1]
    index = engine.index()
    index.absorb(ids)
    index.truncate(450)
    cursors = [engine.cursor(index)]
    for number in pushed:
        cursors.append(cursors[-1].copy())
        cursors[-1].push(number)
    said = network_output(
        distributions(np.random.default_rng(6), len(cursors)), units=parameters.units
    )
    layers = parameters.units, len(parameters.first_bias), len(parameters.second_bias)
    spread = tables.LOWEST, tables.HIGHEST, symbols.newline, symbols.space
    head = np.array([symbols.size, *layers, *spread, len(ids), 450, len(pushed)], "<i8")
    model: list[NDArray[Any]] = [symbols.letters, tables.logarithm(), tables.exponential()]
    model += [in_pairs(array) for array in vars(parameters).values()]
    given: list[NDArray[Any]] = [head, *model, ids.astype("<i8"), np.array(pushed, "<i8")]
    for p, hidden in zip(*said, strict=True):
        given += [p, hidden]
    done = subprocess.run(
        [emulator, program],
        input=b"".join(array.tobytes() for array in given),
        capture_output=True,
        check=True,
    )
    assert done.stdout == engine.mix(cursors, said).tobytes()
