"""The benchmark of a keystroke: its figures, in the form that is documented."""

from dataclasses import fields
from pathlib import Path

from benchmarks.service import KeyFigures
from tests.benchmarks.command import figures_of
from tests.tiny import save_tiny_checkpoint


def test_it_writes_what_a_key_costs_over_both_protocols(tmp_path: Path, root: Path) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    figures = figures_of("service", root, checkpoint, "--seconds", "0.5", "--sessions", "2")
    assert (figures["store"], bool(figures["processor"])) == ("redis", True)
    kinds = [(each["protocol"], each["sessions"], each["suggestion"]) for each in figures["keys"]]
    assert kinds == [(name, 2, said) for name in ("http", "websocket") for said in (True, False)]
    for each in figures["keys"]:
        assert set(each) == {field.name for field in fields(KeyFigures)}
        assert each["keys"] > 10
        assert each["service"] > each["nothing"] > 0
        assert each["keys_per_second_and_core"] > 0
