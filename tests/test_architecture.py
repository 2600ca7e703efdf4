"""The folders' import table: who may import whom, and that serving needs no torch."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVING = [
    "model",
    "model.checkpoint",
    "model.decoding.options",
    "model.runtime",
    "service.http.app",
]


def test_the_import_table_holds(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("module", [*SERVING, "nextchar.cli"])
def test_what_serves_loads_no_torch(module: str, root: Path) -> None:
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert module in loaded
    assert not loaded & {"torch", "matplotlib"}


def test_packages_are_the_ones_that_are_installed(root: Path) -> None:
    """A folder that is imported by its name must be found by the packaging too."""
    import tomllib

    settings = tomllib.loads((root / "pyproject.toml").read_text())
    included = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    checked = settings["tool"]["importlinter"]["root_packages"]
    assert {pattern.removesuffix("*") for pattern in included} == set(checked) - {
        "loadtest",
        "benchmarks",
    }
