"""How the code is laid out: imports, the size of folders and modules, one name for one class."""

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

SERVING = [
    "model",
    "model.checkpoint",
    "model.decoding.options",
    "model.runtime",
    "service.http.app",
]

# How many files and folders a reader is shown at once.
MOST_ENTRIES = {"service": 16, "model": 18, "training": 18}
MOST_LINES = 320


def files_of(root: Path) -> list[Path]:
    """The files that git tracks or does not ignore, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    # A file that was deleted is listed until the deletion is committed.
    return [Path(name) for name in listed.stdout.split("\0") if (root / name).is_file()]


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
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    included = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    checked = settings["tool"]["importlinter"]["root_packages"]
    assert {pattern.removesuffix("*") for pattern in included} == set(checked) - {
        "loadtest",
        "benchmarks",
    }


@pytest.mark.parametrize("package", MOST_ENTRIES)
def test_a_folder_shows_no_more_than_a_reader_takes_in(package: str, root: Path) -> None:
    inside = [file for file in files_of(root) if file.parts[0] == package]
    entries = {entry for file in inside for entry in (file, *file.parents[:-2])}
    shown = Counter(str(entry.parent) for entry in entries)
    assert shown[package] > 1
    assert {name: n for name, n in shown.items() if n > MOST_ENTRIES[package]} == {}


@pytest.mark.parametrize("package", ["model", "training", "service", "nextchar"])
def test_a_module_is_short_enough_to_be_read_at_once(package: str, root: Path) -> None:
    lengths = {
        str(file): len((root / file).read_text(encoding="utf-8").splitlines())
        for file in files_of(root)
        if file.parts[0] == package and file.suffix == ".py"
    }
    assert lengths
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_no_two_classes_have_one_name(root: Path) -> None:
    """Whoever searches for a class finds the one that is meant."""
    found: dict[str, list[str]] = {}
    for file in files_of(root):
        if file.suffix == ".py":
            for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found.setdefault(node.name, []).append(f"{file}:{node.lineno}")
    assert found
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
