"""A checkpoint's weights as the runtime uses them: int8 with one scale an output channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.errors import ModelError
from model.network.config import NetworkConfig
from model.network.contexts import STATE_SIZE, Contexts, PackedTable, are_levels
from model.runtime.arithmetic import Floats

Int8s = NDArray[np.int8]

# With weights up to this, no sum of products comes near infinity.
LARGEST_WEIGHT = np.float32(1e30)
ROWS = 64
# A state remembers ids plus one as uint16, that of the start symbol too.
LARGEST_ID = 2**16 - 2


@dataclass(frozen=True)
class Product:
    """A matrix for products with a quantized hidden state, or with one and its contexts.

    `weights` int8 (rows, columns); `scale` float32 (rows): what an integer sum is worth, the
    weight's own scale times the state's 1/127.
    """

    weights: Int8s
    scale: Floats


@dataclass(frozen=True)
class Layer:
    """One recurrent layer: its input as a table (first layer) or a product and bias (the others).

    `table` float32 (vocabulary + 1, gates · hidden): U's columns with the bias added.
    """

    table: Floats | None
    input: Product | None
    bias: Floats
    recurrent: Product
    reset_bias: Floats | None


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
        """The bytes of one state: h as int8 and, in an LSTM, c as float32; a GRU's h as float32.

        After them, where there are contexts, what they need to know of what was read.
        """
        return self.layers_size + (STATE_SIZE if self.contexts else 0)

    @property
    def layers_size(self) -> int:
        """The bytes of a state that belong to layers."""
        unit = {"elman": 1, "gru": 4, "lstm": 5}[self.config.cell]
        return self.config.layers * self.config.hidden * unit


def quantize_weights(matrix: Floats) -> Product:
    """Symmetric rounding of each row to −127…127 at the scale of its largest magnitude."""
    largest = np.maximum(matrix.max(axis=1), -matrix.min(axis=1)).astype(np.float64)
    largest[largest == 0] = 1
    weights = np.empty(matrix.shape, np.int8)
    # Some rows at a time: what a service sets aside for a whole matrix, it would hold for ever.
    for begin in range(0, len(matrix), ROWS):
        rows = slice(begin, begin + ROWS)
        weights[rows] = np.rint(matrix[rows] / (largest[rows] / 127)[:, None])
    return Product(weights, (largest / (127 * 127)).astype(np.float32))


def quantize_network(checkpoint: Checkpoint) -> QuantizedNetwork:
    """The network of a checkpoint as served; raises ModelError for weights that overflow."""
    config, weights = checkpoint.config, checkpoint.weights
    for name, array in weights.items():
        # Not a number compares as false.
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
                reset_bias=weights.get(f"cells.{index}.c"),
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
    """The contexts of a checkpoint that has them; its table stays where it lies, mapped.

    Raises ModelError where the table is damaged: not a row for each bit.
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
