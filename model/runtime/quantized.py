"""A checkpoint's weights as the runtime uses them: int8 with one scale for each row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.errors import ModelError
from model.network.config import NetworkConfig
from model.network.contexts import STATE_SIZE, Contexts, PackedTable, are_levels
from model.runtime.arithmetic import Floats

Int8s = NDArray[np.int8]

# With weights up to this, no sum of products comes near infinity in float32.
LARGEST_WEIGHT = np.float32(1e30)
# How many rows are quantized at a time. The temporary memory for a whole matrix would stay with the
# process as long as a service runs.
ROWS_AT_ONCE = 64
# A state remembers ids plus one as uint16, the start symbol included.
LARGEST_ID = 2**16 - 2


@dataclass(frozen=True)
class Product:
    """A matrix that is multiplied with a quantized hidden state, or with that and context rows.

    `weights` int8 (rows, columns). `scale` float32 (rows) turns an integer sum into a number: it is
    the row's own scale times the 1/127 of the state.
    """

    weights: Int8s
    scale: Floats


@dataclass(frozen=True)
class Layer:
    """One recurrent layer: the first one reads its input from a table, the others by a product.

    `table` float32 (vocabulary + 1, gates · hidden) holds U's columns with the bias added. `biases`
    float32 (hidden) are those that the kind of cell has beside b, by name.
    """

    table: Floats | None
    input: Product | None
    bias: Floats
    recurrent: Product
    biases: Mapping[str, Floats]


@dataclass(frozen=True)
class HashedContexts:
    """What the output layer reads beside the hidden state: rows of a table, found by hashes."""

    hashes: Contexts
    table: PackedTable


@dataclass(frozen=True)
class QuantizedNetwork:
    """All layers and the output layer of a network, quantized."""

    config: NetworkConfig
    layers: tuple[Layer, ...]
    output: Product
    output_bias: Floats
    contexts: HashedContexts | None = None

    @property
    def size(self) -> int:
        """How many ids the network predicts."""
        return len(self.output_bias)

    @property
    def state_size(self) -> int:
        """The bytes of one state: those of its layers, then those of the contexts, if any."""
        return self.layers_size + (STATE_SIZE if self.contexts else 0)

    @property
    def layers_size(self) -> int:
        """The bytes of a state that belong to layers."""
        return self.config.layers * self.config.layer_state.itemsize


def quantize_weights(matrix: Floats) -> Product:
    """Rounds each row to −127…127, so that its largest magnitude becomes 127."""
    largest = np.maximum(matrix.max(axis=1), -matrix.min(axis=1)).astype(np.float64)
    largest[largest == 0] = 1
    weights = np.empty(matrix.shape, np.int8)
    for begin in range(0, len(matrix), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        weights[rows] = np.rint(matrix[rows] / (largest[rows] / 127)[:, None])
    return Product(weights, (largest / (127 * 127)).astype(np.float32))


def quantize_network(checkpoint: Checkpoint) -> QuantizedNetwork:
    """The network of a checkpoint as served.

    Raises ModelError for weights that are not finite or so large that sums would overflow.
    """
    config, weights = checkpoint.config, checkpoint.weights
    for name, array in weights.items():
        # Any comparison with a NaN is false, so NaNs are refused too.
        if array.dtype.kind == "f" and not (
            -LARGEST_WEIGHT <= array.min() <= array.max() <= LARGEST_WEIGHT
        ):
            raise ModelError(f"{name} holds values that are no weights: beyond {LARGEST_WEIGHT}")
    layers = []
    for index in range(config.layers):
        U, W, b = (weights[f"cells.{index}.{part}"] for part in "UWb")
        first = index == 0
        layers.append(
            Layer(
                table=np.ascontiguousarray(U.T + b) if first else None,
                input=None if first else quantize_weights(U),
                bias=b,
                recurrent=quantize_weights(W),
                biases={name: weights[f"cells.{index}.{name}"] for name in config.kind.biases},
            )
        )
    return QuantizedNetwork(
        config,
        tuple(layers),
        quantize_weights(weights["output.weight"]),
        weights["output.bias"],
        hashed_contexts(checkpoint) if config.contexts else None,
    )


def hashed_contexts(checkpoint: Checkpoint) -> HashedContexts:
    """The contexts of a checkpoint that has them; its table stays where it is mapped.

    Raises ModelError where the table is damaged, for example without a row for each bit.
    """
    parts = ("kept", "rows", "levels")
    kept, rows, levels = (checkpoint.weights[f"contexts.{part}"] for part in parts)
    config = checkpoint.config
    if kept.dtype != np.uint8 or kept.shape != (1 << config.context_bits >> 3,):
        raise ModelError(f"contexts.kept is no bitmap of 2^{config.context_bits} rows")
    count = int(np.bitwise_count(kept).sum(dtype=np.int64))
    if rows.dtype != np.uint8 or rows.shape != (count, config.context_width // 2):
        raise ModelError(f"contexts.rows is not the {count} packed rows that contexts.kept says")
    if not are_levels(levels):
        raise ModelError("contexts.levels are not what a table has")
    if checkpoint.vocabulary.size > LARGEST_ID:
        raise ModelError(f"contexts: a vocabulary of over {LARGEST_ID} ids is too large for them")
    table = PackedTable(np.ascontiguousarray(kept), np.ascontiguousarray(rows), levels)
    return HashedContexts(Contexts(config), table)
