"""training.finishing.calibration: the fitted map, and what it is worth on other documents."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.calibration import Calibration
from model.checkpoint import load
from model.served import Runtime
from tests.tiny import save_tiny_checkpoint
from training.evaluation.figures import calibration_error
from training.finishing.calibration import (
    CalibrationReport,
    ShownSuggestions,
    calibrate,
    calibrated,
    fit_map,
    plot,
    store,
    type_texts,
)


def judged(seed: int, count: int = 3000, power: float = 2.0) -> ShownSuggestions:
    """Suggestions that are right less often than the network says: with a power of p."""
    random = np.random.default_rng(seed)
    raw = random.random(count)
    return ShownSuggestions(raw, random.random(count) < raw**power)


def test_the_map_finds_how_often_suggestions_are_right() -> None:
    calibration = fit_map(judged(0, 200_000))
    for probability in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert calibration(probability) == pytest.approx(probability**2, abs=0.03)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=400))
def test_the_map_rises_whatever_was_right(pairs: list[tuple[float, bool]]) -> None:
    found = ShownSuggestions(np.array([p for p, _ in pairs]), np.array([r for _, r in pairs], bool))
    calibration = fit_map(found)
    assert Calibration.of(calibration.arrays()) == calibration
    mapped = calibrated(calibration, np.linspace(0, 1, 101))
    assert (np.diff(mapped) >= 0).all()
    assert (mapped >= 0).all()
    assert (mapped <= 1).all()


def test_too_few_suggestions_leave_the_probability_as_it_is() -> None:
    assert fit_map(judged(0, 99)) == Calibration()


def test_each_half_is_judged_by_the_other() -> None:
    documents = [judged(seed, 1500) for seed in range(8)]
    calibration, report = calibrate(documents)
    assert (report.documents, report.suggestions) == (8, 12_000)
    assert report.error_before > 0.1
    assert report.error_after < 0.02
    everything = judged(99, 20_000)
    after = calibration_error(calibrated(calibration, everything.raw), everything.right)
    assert after < 0.02


def test_a_fit_to_one_half_alone_does_not_hide_that_the_other_is_different() -> None:
    documents = [judged(seed, 1500, power=1 + 3 * (seed % 2)) for seed in range(8)]
    assert calibrate(documents)[1].error_after > 0.1


def test_nothing_to_go_by_is_refused() -> None:
    nothing = ShownSuggestions(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(ValueError, match="nothing was suggested"):
        calibrate([nothing])


def test_what_is_shown_is_judged_by_what_comes(tmp_path: Path) -> None:
    runtime = Runtime(load(save_tiny_checkpoint(tmp_path / "tiny")))
    (found,) = type_texts(runtime, ["abc def\nabc " * 4])
    assert len(found.raw) > 10
    assert ((found.raw > 0) & (found.raw <= 1)).all()
    with pytest.raises(ValueError, match="none of them empty"):
        type_texts(runtime, ["a", ""])


def test_the_map_becomes_part_of_the_checkpoint(tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path / "tiny")
    before = load(folder)
    everything = judged(0)
    calibration = fit_map(everything)
    store(folder, calibration, CalibrationReport(1, 3000, 0.2, 0.01), everything)
    after = load(folder)
    assert Runtime(after).calibration == calibration
    assert after.fingerprint != before.fingerprint
    assert all((after.weights[name] == before.weights[name]).all() for name in before.weights)
    assert (folder / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_the_diagram_is_drawn_without_a_display(tmp_path: Path) -> None:
    plot(judged(1, 60), Calibration(), CalibrationReport(1, 60, 0.1, 0.1), tmp_path / "diagram.png")
    assert (tmp_path / "diagram.png").stat().st_size > 1000
