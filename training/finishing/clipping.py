"""Clipping: bounds the weights of each row of a matrix before they are rounded to int8.

A row's scale is its largest weight ÷ 127. Where one weight is much larger than the others, cutting
it down lets the others be rounded more finely. Training text decides which bound costs least. When
a row's weights w are rounded to ŵ, the mean square change of its sums is (w − ŵ)ᵀ C (w − ŵ), where
C is the mean of x xᵀ over the row's inputs x along the text. The inputs are hidden states, and in
the output layer also the contexts' rows.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.network.config import Weights
from model.network.contexts import ContextState
from model.runtime.arithmetic import ACTIVATION, Floats, quantize
from model.runtime.pool import Ids
from model.runtime.quantized import QuantizedNetwork, quantize_weights
from model.served import Runtime

Moments = NDArray[np.float64]

# These shares of a row's largest weight are tried as its bound. 1 comes first, so that a row is not
# cut where nothing is gained.
REACHES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6)


def clipped(checkpoint: Checkpoint, texts: Sequence[Ids]) -> Weights:
    """The checkpoint's weights, each row of each matrix cut at the bound that costs least.

    `texts` are ids of training text, about ten thousand in all. Each text is read from its start.
    """
    *moments, outputs = input_moments(Runtime(checkpoint), texts)
    weights = dict(checkpoint.weights)
    for index, own in enumerate(moments):
        weights[f"cells.{index}.W"] = clip_rows(weights[f"cells.{index}.W"], own)
        if index:
            below = moments[index - 1]
            weights[f"cells.{index}.U"] = clip_rows(weights[f"cells.{index}.U"], below)
    weights["output.weight"] = clip_rows(weights["output.weight"], outputs)
    return weights


def clip_rows(matrix: Floats, moments: Moments) -> Floats:
    """A matrix (rows, inputs), each row cut at the bound that changes its rounded sums least.

    `moments` is the mean of x xᵀ, (inputs, inputs).
    """
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    best, least = matrix, np.full(len(matrix), np.inf)
    for reach in REACHES:
        cut = np.clip(matrix, -largest * np.float32(reach), largest * np.float32(reach))
        rounded = quantize_weights(cut)
        # The scale of a product also contains the state's factor 1/127, which is taken out here.
        worth = rounded.scale.astype(np.float64)[:, None] * 127
        change = matrix - rounded.weights * worth
        cost = ((change @ moments) * change).sum(axis=1)
        better = cost < least
        best = np.where(better[:, None], cut, best)
        least = np.minimum(least, cost)
    return best


def input_moments(runtime: Runtime, texts: Iterable[Ids]) -> list[Moments]:
    """The mean of h hᵀ along the texts for each layer, (hidden, hidden).

    A further, last entry is the mean of x xᵀ over the inputs of the output layer, (output_inputs,
    output_inputs).
    """
    config = runtime.network.config
    widths = [*[config.hidden] * config.layers, config.output_inputs]
    sums = [np.zeros((width, width)) for width in widths]
    pool = runtime.pool(1)
    slot, count = pool.acquire(), 0
    for text in texts:
        pool.start(slot)
        states = [pool.read(slot)]
        for index in text:
            pool.step([slot], [index])
            states.append(pool.read(slot))
        count += len(states)
        inputs = [_hidden(runtime.network, states, layer) for layer in range(config.layers)]
        inputs.append(np.concatenate([inputs[-1], *_contexts(runtime.network, states)], axis=1))
        for total, x in zip(sums, inputs, strict=True):
            total += x.T @ x
    return [total / count for total in sums] if count else sums


def _hidden(network: QuantizedNetwork, states: Sequence[bytes], layer: int) -> Moments:
    """The hidden states of one layer as products see them, (states, hidden)."""
    config = network.config
    joined = b"".join(state[: network.layers_size] for state in states)
    h = np.frombuffer(joined, config.layer_state).reshape(-1, config.layers)[:, layer]["h"]
    whole = quantize(h) if config.kind.keeps_exact_h else h
    return whole.astype(np.float64) / ACTIVATION


def _contexts(network: QuantizedNetwork, states: Sequence[bytes]) -> list[Moments]:
    """The contexts' rows in each state, (states, contexts · width), as a list of one array.

    The list is empty where the network has no contexts.
    """
    if not network.contexts:
        return []
    known = np.frombuffer(b"".join(states), np.uint8).reshape(len(states), -1)
    rows = network.contexts.hashes.rows(ContextState.from_bytes(known[:, network.layers_size :]))
    found = network.contexts.table.look_up(rows).reshape(len(states), -1)
    return [found.astype(np.float64) / ACTIVATION]
