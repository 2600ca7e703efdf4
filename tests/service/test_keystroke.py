"""The walk of one keystroke that service/README.md describes is the one that a keystroke takes."""

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.service.running import Service, running
from tests.tiny import save_primed_checkpoint

# A line of the walk: its number, and the first place that it names.
STEP = re.compile(r"^\d+\. `([\w/]+\.py):[\w.]+`", re.MULTILINE)
MOST_FILES = 16


def walk(root: Path) -> list[Path]:
    """The files of the walk, in its order."""
    page = (root / "service/README.md").read_text(encoding="utf-8")
    section = page.partition("## One keystroke\n")[2].partition("\n## ")[0]
    named = [Path(name) for name in STEP.findall(section)]
    return [root / ("" if name.parts[0] == "model" else "service") / name for name in named]


class Entries:
    """The files whose functions are called while it watches, on any thread, each once."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.watching = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self.watching and event == "call":
            self.files.setdefault(frame.f_code.co_filename)


@pytest.fixture
def entries() -> Iterator[Entries]:
    watched = Entries()
    threading.setprofile(watched)
    sys.setprofile(watched)
    yield watched
    sys.setprofile(None)
    threading.setprofile(None)


async def test_a_keystroke_enters_the_files_of_the_walk_in_its_order(
    root: Path, tmp_path: Path, entries: Entries
) -> None:
    expected = walk(root)
    assert 10 < len(expected) <= MOST_FILES
    checkpoint = save_primed_checkpoint(tmp_path / "primed")
    async with running(checkpoint=(checkpoint,)) as service:
        typed = await type_one_key(service, entries)
    assert typed["length"] == len("import num")
    found = [Path(name) for name in entries.files]
    assert [file for file in found if file in expected] == expected


async def type_one_key(service: Service, entries: Entries) -> dict[str, Any]:
    """The second request of a session, which is watched."""
    first = await service.complete(session="s", prefix="import nu")
    edit = {"version": first["version"], "keep": first["length"], "append": "m"}
    entries.watching = True
    typed = await service.complete(session="s", edit=edit)
    entries.watching = False
    return typed
