"""The simulated typist's figures, and the calibration error."""

import numpy as np
import pytest

from training.evaluation.figures import Session, calibration_error, figures


def test_calibration_error_of_a_known_case() -> None:
    confidences = np.repeat([0.2, 0.8], 10)
    right = np.array([True] * 2 + [False] * 8 + [True] * 6 + [False] * 4)
    assert calibration_error(confidences, right, bins=2) == pytest.approx(0.1)
    assert calibration_error(confidences[:1], right[:1]) == pytest.approx(0.8)


def test_calibration_error_is_small_when_confidence_is_true() -> None:
    random = np.random.default_rng(0)
    confidences = random.random(20_000)
    assert calibration_error(confidences, random.random(20_000) < confidences) < 0.02


def test_where_nothing_was_shown_there_is_nothing_to_accept() -> None:
    typist = figures([Session(characters=3, keys=3, accepted=0, confidences=(), right=())])
    assert (typist.keystrokes_saved, typist.shown) == (0, 0)
    assert typist.accepted is None
    assert typist.calibration_error is None


def test_shares_are_of_keys_and_of_suggestions_shown() -> None:
    typist = figures(
        [
            Session(characters=10, keys=4, accepted=2, confidences=(0.5, 0.5), right=(True, True)),
            Session(characters=6, keys=4, accepted=0, confidences=(0.5, 0.5), right=(False, False)),
        ]
    )
    assert typist.keystrokes_saved == 0.5
    assert typist.shown == 0.5
    assert typist.accepted == 0.5
    assert typist.calibration_error == 0.5
