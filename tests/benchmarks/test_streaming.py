"""The benchmark of streams: its figures, in the form that is documented."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from benchmarks.streaming import StreamingFigures
from tests.tiny import save_tiny_checkpoint


def test_it_writes_all_figures(tmp_path: Path, root: Path) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    measured = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.streaming", "--keys", "8", "--json", "-"),
            *("--checkpoint", checkpoint),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert measured.returncode == 0, measured.stderr
    figures = json.loads(measured.stdout)
    assert set(figures) == {field.name for field in fields(StreamingFigures)}
    assert (figures["checkpoint"], figures["keys"]) == ("tiny", 8)
    assert 0 < figures["http"] <= figures["whole_answer"]
    assert 0 < figures["first_event"] <= figures["whole_stream"]
