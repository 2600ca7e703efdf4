"""benchmarks.behind: which gaps it finds, and that it types all of them in every way."""

from pathlib import Path

from benchmarks.behind import WAYS, gaps_of, measure
from model.checkpoint import load
from model.served import Runtime
from tests.tiny import save_primed_checkpoint

TEXT = "def total(values):\n    return sum(values, start)\n\nx = 1\n"


def test_gaps_are_lines_their_middles_and_what_stands_in_brackets() -> None:
    assert [(gap.kind, TEXT[gap.begin : gap.end]) for gap in gaps_of(TEXT)] == [
        ("line", "def total(values):"),
        ("middle", "total(values"),
        ("brackets", "values"),
        ("line", "return sum(values, start)"),
        ("middle", "(values,"),
        ("brackets", "values, start"),
    ]


def test_every_gap_is_typed_in_every_way(tmp_path: Path) -> None:
    runtime = Runtime(load(save_primed_checkpoint(tmp_path)))
    figures = measure(runtime, [TEXT, TEXT], gaps=6)
    assert list(figures) == ["line", "middle", "brackets", "all"]
    for name in WAYS:
        for count in ("gaps", "characters", "keys", "shown", "accepted"):
            kinds = [figures[kind][name][count] for kind in ("line", "middle", "brackets")]
            assert figures["all"][name][count] == sum(kinds)
        assert figures["all"][name]["gaps"] == 12
        assert 0 < figures["all"][name]["keys"] <= figures["all"][name]["characters"]
