"""The table "What is where" of training/README.md names every module, and no other one."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "training"
MODULES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.fixture(scope="module")
def table() -> str:
    page = (FOLDER / "README.md").read_text("utf-8")
    return page.partition("## What is where\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_named(module: str, table: str) -> None:
    assert f"`{module}`" in table


def test_no_module_is_named_that_is_not_there(table: str) -> None:
    named = re.findall(r"`([\w/]+\.py)`", table)
    assert sorted(named) == MODULES
