"""Levels for numbers of few bits."""

import numpy as np

from model.network.codebook import fit_levels
from model.network.contexts import ZERO_CODE


def test_levels_are_those_of_the_numbers_where_there_are_few() -> None:
    numbers = np.array([[-3, -1, 0, 0.5, 2, 2.5]], np.float32).repeat(50, axis=0)
    levels = fit_levels(numbers, np.ones((50, 1), np.float32))
    assert levels[ZERO_CODE] == 0
    assert set(np.unique(numbers)) <= set(levels.round(6))
    assert not fit_levels(np.zeros((4, 2), np.float32), np.ones((4, 1), np.float32)).any()
    assert not fit_levels(np.zeros((0, 2), np.float32), np.ones((0, 1), np.float32)).any()


def test_numbers_of_no_weight_move_no_level() -> None:
    numbers = np.random.default_rng(1).normal(size=(400, 4)).astype(np.float32)
    weights = np.ones((400, 1), np.float32)
    expected = fit_levels(numbers[1:], weights[1:])
    numbers[0], weights[0] = 1000, 0
    np.testing.assert_allclose(fit_levels(numbers, weights), expected)
    assert (np.diff(expected) > 0).all()
    assert np.square(numbers[1:, :, None] - expected).min(axis=-1).mean() < 0.015
