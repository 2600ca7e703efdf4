"""Rows are cut only where a weight of little effect makes the rounding of others coarse."""

import numpy as np
import pytest

from model.runtime.quantized import quantize_weights
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, random_checkpoint
from training.finishing.clipping import clip_rows, clipped, input_moments


def test_a_weight_on_a_unit_that_is_silent_is_cut() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(0, 0.1, (8, 64)).astype(np.float32)
    matrix[:4, 0] = 1
    moments = np.eye(64)
    moments[0, 0] = 1e-6
    cut = clip_rows(matrix, moments)
    assert (cut[:4, 0] == np.float32(0.6)).all()
    assert (cut[:, 1:] == matrix[:, 1:]).all()
    assert quantize_weights(cut).scale[0] < quantize_weights(matrix).scale[0]


def test_a_weight_that_counts_is_kept() -> None:
    matrix = np.random.default_rng(0).normal(0, 0.1, (8, 64)).astype(np.float32)
    matrix[:, 0] = 1
    assert (clip_rows(matrix, np.eye(64)) == matrix).all()


@pytest.mark.parametrize("contexts", [(), CONTEXTS])
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_moments_are_those_of_the_inputs_on_the_way(cell: str, contexts: tuple[str, ...]) -> None:
    runtime = Runtime(random_checkpoint(cell, 2, 32, contexts=contexts), "numpy")
    text = np.arange(20, dtype=np.int32)
    first, _, last = input_moments(runtime, [text, text])
    pool = runtime.pool(1)
    pool.start(0)
    bias = runtime.network.output_bias
    outputs = runtime.network.output.weights * runtime.network.output.scale[:, None] * 127.0
    seen = np.zeros(len(bias))
    seen += (pool.logits([0])[0] - bias).astype(np.float64) ** 2
    for index in text.tolist():
        pool.step([0], [index])
        seen += (pool.logits([0])[0] - bias).astype(np.float64) ** 2
    # What they say of the output layer's sums is what the pool computes.
    said = ((outputs @ last) * outputs).sum(axis=1)
    np.testing.assert_allclose(said, seen / 21, rtol=1e-3)
    assert first.shape == (32, 32)
    assert (np.diag(first) <= 1).all()


@pytest.mark.parametrize("contexts", [(), CONTEXTS])
def test_clipping_keeps_names_shapes_and_most_weights(contexts: tuple[str, ...]) -> None:
    checkpoint = random_checkpoint("lstm", 2, 32, contexts=contexts)
    weights = clipped(checkpoint, [np.arange(30, dtype=np.int32)])
    assert weights.keys() == checkpoint.weights.keys()
    for name, before in checkpoint.weights.items():
        assert weights[name].dtype == before.dtype
        assert (weights[name] == before).mean() > 0.8
