"""A network's row says what it would answer as it is served, with and without adaptation."""

from pathlib import Path

import pytest

from benchmarks.quality import networks
from benchmarks.quality.rows import Row
from benchmarks.quality.texts import Span, TextSet
from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime
from tests.tiny import save_tiny_checkpoint
from training.evaluation.figures import Session, figures, type_with
from training.finishing.priming import prime, save

LINES = ["the typist types the text", "the text is typed once more", "more text to type is here"]
TEXTS = TextSet(
    "toy", ("one", "two"), tuple("\n".join(LINES[n:] + LINES * 6) + "\n" for n in range(2))
)
SPAN = Span(200, 240, 300)
OPTIONS = Options(min_confidence=0.05)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that is primed to adapt."""
    folder = save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")
    trained = load(folder)
    save(folder, trained, prime(trained, TEXTS.texts))
    return folder


def served(runtime: Runtime, options: Options) -> list[Session]:
    """The spans typed with what a fresh process would answer at each place."""

    def typed(text: str) -> Session:
        span = text[SPAN.begin : SPAN.end]
        return type_with(
            span, lambda at: complete(runtime, text[: SPAN.begin + at], options).completion
        )

    return [typed(text) for text in TEXTS.texts]


def measure(checkpoint: Path, adapt: bool) -> list[Row]:
    return networks.measure(checkpoint, "tiny", adapt, TEXTS, SPAN, OPTIONS, lambda done: None)


@pytest.mark.parametrize("adapt", [False, True])
def test_a_row_is_what_the_typist_does_with_the_served_answers(
    checkpoint: Path, adapt: bool
) -> None:
    runtime = Runtime(load(checkpoint), adapt=adapt)
    for row, by_value in zip(measure(checkpoint, adapt), (False, True), strict=True):
        sessions = served(runtime, Options(min_confidence=0.05, by_value=by_value))
        assert row.shown is not None
        assert row.shown.typist == figures(sessions)
        assert len(row.tried) == len(networks.BOUNDS)


def test_what_the_text_repeats_is_mixed_in_and_has_its_price(checkpoint: Path) -> None:
    rows = [*measure(checkpoint, adapt=False), *measure(checkpoint, adapt=True)]
    names = ["tiny, alone", "tiny, by value", "tiny, with counts", "tiny, all"]
    assert [row.system for row in rows] == names
    bits = [row.bits_per_character or 0 for row in rows]
    assert 0 < bits[2] < bits[0] - 1
    assert 0 < (rows[0].state_bytes or 0) < (rows[2].state_bytes or 0)
    assert 0 < (rows[0].microseconds_per_step or 0) < (rows[2].microseconds_per_step or 0)


def test_a_checkpoint_is_run_in_the_ways_that_it_can(checkpoint: Path, tmp_path: Path) -> None:
    assert networks.ways(checkpoint) == [False, True]
    assert networks.ways(save_tiny_checkpoint(tmp_path / "plain")) == [False]
