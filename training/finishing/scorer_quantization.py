"""Rounds the trained scorer to the integers that adaptation computes with."""

from __future__ import annotations

import numpy as np

from model.adaptation import tables
from model.adaptation.parameters import (
    ACTIVATION,
    INT16,
    INT32,
    LARGEST_FEATURE,
    LARGEST_HIDDEN,
    LARGEST_SHIFT,
    SHARED,
    VIEW,
    Parameters,
)
from training.finishing.examples import Examples, Floats
from training.finishing.scorer import (
    FEATURES,
    FIRST_UNITS,
    HIDDEN_DEVIATION,
    SAMPLE_PLACES,
    Scorer,
)


def quantized(scorer: Scorer, examples: Examples) -> Parameters:
    """The scorer's weights as integers, for features that are not standardised.

    The scale of each layer follows from its largest activation on the examples.
    """
    sample = examples.with_candidates()[:: max(1, len(examples) // SAMPLE_PLACES)]
    now = scorer.forward(examples, sample)
    first, second = (_largest_scale(layer, ACTIVATION) for layer in (now.first, now.second))
    seen = _largest_scale(np.abs(now.view), LARGEST_FEATURE)
    view = scorer.P * np.float32(seen / HIDDEN_DEVIATION)
    shift0, P, _ = _integers(LARGEST_HIDDEN, view, np.zeros(VIEW, np.float32))
    Q = scorer.Q * np.float32(1 / seen)
    scaled = np.concatenate([scorer.W / scorer.scale[:, None], Q])
    # Shifting the view right rounds it down, by a half on average. The bias makes up for it.
    bias = scorer.b - scorer.mean @ scaled[:FEATURES] + 0.5 * Q.sum(axis=0)
    scaled, bias = scaled * np.float32(first), bias * np.float32(first)
    shift1, W, b = _integers(LARGEST_FEATURE, scaled, bias)
    weights = np.concatenate([scorer.U, scorer.V]) * np.float32(second / first)
    shift2, weights, d = _integers(ACTIVATION, weights, scorer.d * np.float32(second))
    units = tables.SCORE_UNITS
    shift3, v, c = _integers(
        ACTIVATION, scorer.v[:, None] * np.float32(units / second), scorer.c * np.float32(units)
    )
    return Parameters(
        view=np.ascontiguousarray(P.T, np.int16),
        first_shared=np.ascontiguousarray(W[:SHARED].T, np.int16),
        first_own=np.ascontiguousarray(W[SHARED:FEATURES].T, np.int16),
        first_view=np.ascontiguousarray(W[FEATURES:].T, np.int16),
        first_bias=b.astype(np.int32),
        second_own=np.ascontiguousarray(weights[:FIRST_UNITS].T, np.int16),
        second_mean=np.ascontiguousarray(weights[FIRST_UNITS:].T, np.int16),
        second_bias=d.astype(np.int32),
        output=v[:, 0].astype(np.int16),
        output_bias=c.astype(np.int32),
        shifts=np.array([shift0, shift1, shift2, shift3], np.int32),
    )


def _largest_scale(activations: Floats, largest: int) -> float:
    """The largest power of two that keeps all scaled activations at `largest` or below."""
    return float(2.0 ** np.floor(np.log2(largest / max(1.0, activations.max(initial=0)))))


def _integers(largest: int, weights: Floats, bias: Floats) -> tuple[int, Floats, Floats]:
    """A shift, and weights (inputs, units) and bias times 2^shift, rounded.

    The shift is the largest one with which the weights fit in 16 bits, and their sums over inputs
    of up to `largest` fit in 32 bits.
    """
    sums = np.abs(weights).sum(axis=0) * largest + np.abs(bias)
    # Rounding changes a weight's product by at most half of the largest input.
    room = INT32 - largest * len(weights)
    most = min(INT16 / max(float(np.abs(weights).max()), 1e-9), room / max(float(sums.max()), 1e-9))
    shift = int(np.clip(np.floor(np.log2(most)), 0, LARGEST_SHIFT))
    return shift, np.rint(weights * 2.0**shift), np.rint(bias * 2.0**shift)
