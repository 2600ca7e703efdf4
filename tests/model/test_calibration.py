"""model.calibration: the map that a checkpoint holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.calibration import Calibration
from model.errors import CheckpointError

BENT = Calibration((0, 0.25, 0.5, 1), (0, 0.125, 0.125, 0.75))


@given(st.floats(0, 1))
def test_without_a_map_the_probability_is_its_own(probability: float) -> None:
    assert Calibration.of({})(probability) == probability


def test_between_knots_the_map_is_straight() -> None:
    assert [BENT(p) for p in (0, 0.125, 0.25, 0.4, 0.75, 1)] == [
        0,
        0.0625,
        0.125,
        0.125,
        0.4375,
        0.75,
    ]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_more_probable_stays_the_more_probable(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert BENT(low) <= BENT(high)


def test_a_checkpoint_gives_back_the_map_that_it_was_given() -> None:
    again = Calibration.of(BENT.arrays())
    assert again == BENT
    assert all(array.dtype == np.float32 for array in BENT.arrays().values())


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        ([0, 1], [0.5, 0.4]),
        ([0, 0.5], [0, 1]),
        ([0, 0.5, 0.5, 1], [0, 0.1, 0.2, 1]),
        ([0, 1], [0, 1.5]),
        ([0, 1], [0, float("nan")]),
        ([0, float("nan"), 1], [0, 0.5, 1]),
        ([0, 1], [0, 0.5, 1]),
        ([[0, 1]], [[0, 1]]),
    ],
)
def test_a_damaged_map_is_refused_by_name(raw: list[float], right: list[float]) -> None:
    weights = {"calibration.raw": np.array(raw), "calibration.right": np.array(right)}
    with pytest.raises(CheckpointError, match=r"^calibration: "):
        Calibration.of(weights)


def test_half_a_map_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"^calibration: "):
        Calibration.of({"calibration.raw": np.array([0.0, 1.0])})
