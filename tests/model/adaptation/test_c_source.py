"""The C file: no warning, no error that the sanitizers see, the same bits on another processor."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.adaptation import native, tables
from model.adaptation.index import Symbols
from model.adaptation.native import in_pairs
from model.adaptation.plain import PlainEngine
from tests.model import compiling
from tests.model.adaptation.fuzzing import PIECES, VOCABULARY, distributions, run
from tests.model.adaptation.primed import network_output, random_parameters

SOURCE = native.LIBRARY.with_name("adapt.c")
HARNESSES = [Path(__file__).with_name("harness.c")] if compiling.FOREIGN else []


@pytest.mark.parametrize("compiler", compiling.COMPILERS)
def test_the_source_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    done = compiling.compile_strictly(compiler, SOURCE, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_give_the_same_bits(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("compiler", compiling.NATIVE[:1])
def test_random_calls_show_the_sanitizers_nothing(compiler: str, tmp_path: Path) -> None:
    fuzzing = "tests.model.adaptation.fuzzing"
    done = compiling.run_sanitized(compiler, SOURCE, tmp_path, fuzzing, "7", "8")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("harness", HARNESSES)
def test_an_aarch64_processor_gives_the_same_bits(harness: Path, tmp_path: Path) -> None:
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
    program = compiling.compile_for_aarch64(harness, SOURCE, tmp_path)
    assert compiling.run_on_aarch64(program, given) == engine.mix(cursors, said).tobytes()
