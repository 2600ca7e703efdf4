"""Random parameters of adaptation, and checkpoints that have them."""

from dataclasses import replace

import numpy as np

from model.adaptation.engine import Floats
from model.adaptation.parameters import OWN, SHARED, VIEW, Int16s, Int32s, Parameters
from model.checkpoint import Checkpoint
from model.runtime.network_output import NetworkOutput

# The units of the last layer of a random network.
UNITS = 64


def random_parameters(
    seed: int = 0, first: int = 32, second: int = 16, units: int = UNITS
) -> Parameters:
    """Parameters whose units are on in some places and off in others, with scores of both signs."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> Int16s:
        return random.integers(-500, 501, shape).astype(np.int16)

    def biases(units: int, largest: int) -> Int32s:
        return random.integers(-largest, largest + 1, units).astype(np.int32)

    return Parameters(
        view=weights(VIEW, units),
        first_shared=weights(first, SHARED),
        first_own=weights(first, OWN),
        first_view=weights(first, VIEW),
        first_bias=biases(first, 100_000),
        second_own=weights(second, first),
        second_mean=weights(second, first),
        second_bias=biases(second, 100_000),
        output=weights(second),
        output_bias=biases(1, 1000),
        shifts=np.array([10, 8, 10, 12], np.int32),
    )


def primed(checkpoint: Checkpoint, parameters: Parameters | None = None) -> Checkpoint:
    """A checkpoint with parameters of adaptation."""
    arrays = (parameters or random_parameters(units=checkpoint.config.hidden)).to_arrays()
    return replace(checkpoint, weights={**checkpoint.weights, **arrays})


def network_output(probabilities: Floats, seed: int = 0, units: int = UNITS) -> NetworkOutput:
    """Distributions, (places, ids), with random hidden states."""
    shape = len(probabilities), units
    hidden = np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)
    return NetworkOutput(probabilities, hidden)
