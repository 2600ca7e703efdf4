"""Which backend computes: the fastest by itself, any by name, numpy where nothing is compiled."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.runtime import BackendError, backends, native_library
from model.runtime.native_backend import NativePool
from model.runtime.numpy_backend import NumpyPool
from model.served import Runtime
from tests.model.runtime.networks import random_checkpoint


@pytest.fixture
def library_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the compiled library is looked for; nothing is there yet."""
    place = tmp_path / "_step.so"
    monkeypatch.setattr(native_library, "LIBRARY", place)
    native_library.library.cache_clear()
    yield place
    native_library.library.cache_clear()


@pytest.mark.parametrize("wanted", [None, "auto"])
def test_the_fastest_one_is_taken(wanted: str | None) -> None:
    runtime = Runtime(random_checkpoint(), wanted)
    assert runtime.backend == backends.available()[0]
    assert isinstance(runtime.pool(1), NativePool)


def test_any_one_is_taken_by_its_name() -> None:
    for name in backends.available():
        assert Runtime(random_checkpoint(), name).backend == name
    assert isinstance(Runtime(random_checkpoint(), "numpy").pool(1), NumpyPool)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(BackendError, match="'fpga' is none of auto, vnni, avx2, neon, portable"):
        Runtime(random_checkpoint(), "fpga")


def test_one_that_the_processor_lacks_is_refused() -> None:
    lacking = (set(backends.NAMES) - set(backends.available())).pop()
    with pytest.raises(BackendError, match=f"{lacking} does not run here, for the processor lacks"):
        Runtime(random_checkpoint(), lacking)


def test_without_the_library_numpy_computes_and_one_warning_says_what_it_costs(
    library_at: Path,
) -> None:
    assert not library_at.exists()
    with pytest.warns(RuntimeWarning, match="times slower") as warned:
        runtime = Runtime(random_checkpoint())
    assert len(warned) == 1
    assert runtime.backend == "numpy"
    assert Runtime(random_checkpoint(), "numpy").backend == "numpy"
    with pytest.raises(BackendError, match="portable does not run here, for it was not built"):
        Runtime(random_checkpoint(), "portable")


@pytest.mark.parametrize("compiler", [name for name in ("gcc", "clang") if shutil.which(name)])
def test_a_library_of_another_version_is_not_used(compiler: str, library_at: Path) -> None:
    source = library_at.with_suffix(".c")
    source.write_text("int layout(void) { return -1; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library_at], check=True)
    assert native_library.compiled() == ()
