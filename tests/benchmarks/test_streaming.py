"""The benchmark of streams: its figures, in the form that is documented."""

from dataclasses import fields
from pathlib import Path

from benchmarks.streaming import StreamingFigures
from tests.benchmarks.command import figures_of
from tests.tiny import save_tiny_checkpoint


def test_it_writes_all_figures(tmp_path: Path, root: Path) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    figures = figures_of("streaming", root, checkpoint, "--keys", "8")
    assert set(figures) == {field.name for field in fields(StreamingFigures)}
    assert (figures["checkpoint"], figures["keys"]) == ("tiny", 8)
    assert 0 < figures["http"] <= figures["whole_answer"]
    assert 0 < figures["first_event"] <= figures["whole_stream"]
