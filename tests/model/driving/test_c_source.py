"""The C file: no warning, and no error that the sanitizers see."""

from pathlib import Path

import pytest

from model.driving import library
from tests.model import compiling

SOURCE = library.LIBRARY.with_name("drive.c")


@pytest.mark.parametrize("compiler", compiling.COMPILERS)
def test_the_source_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    done = compiling.compile_strictly(compiler, SOURCE, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", compiling.NATIVE[:1])
def test_random_typing_shows_the_sanitizers_nothing(compiler: str, tmp_path: Path) -> None:
    fuzzing = "tests.model.driving.fuzzing"
    done = compiling.run_sanitized(compiler, SOURCE, tmp_path, fuzzing, "1", "2")
    assert done.returncode == 0, done.stderr
