"""A second implementation of the served arithmetic, in torch, as ARITHMETIC.md states it.

It steps one state and is slow and plain on purpose. Tests compare the other backends with its bits,
and readers find the equations here without the batching. It has hashes of its own with constants of
their own, because it checks the others. Integer sums are taken in int64.
"""

import numpy as np
import torch
from torch import Tensor

from model.network.config import FLOAT32, NetworkConfig, for_cell
from model.network.contexts import PackedTable
from model.runtime import arithmetic
from model.runtime.quantized import Layer, Product, QuantizedNetwork

HISTORY = 16
SPREAD, ORDER, BEFORE = 0x9E3779B1, 0x27D4EB2F, 0x165667B1


def _constant(value: np.float32) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float32)


def product(matrix: Product, h: Tensor) -> Tensor:
    """Σ w_k h_k as an exact integer, to float32 with ties to even, times the row's scale."""
    sums = torch.from_numpy(matrix.weights).long() @ h.long()
    return sums.float() * torch.from_numpy(matrix.scale)


def tanh(x: Tensor) -> Tensor:
    """x clamped to [−8, 8], then x P(u) / Q(u) with u = x²."""
    limit = float(arithmetic.TANH_LIMIT)
    x = x.clamp(-limit, limit)
    u = x * x
    p, q = _constant(arithmetic.TANH_P[3]), _constant(arithmetic.TANH_Q[4])
    for coefficient in arithmetic.TANH_P[2::-1]:
        p = p * u + _constant(coefficient)
    for coefficient in arithmetic.TANH_Q[3::-1]:
        q = q * u + _constant(coefficient)
    return p * x / q


def sigmoid(x: Tensor) -> Tensor:
    """½ + ½ tanh(½ x)."""
    return tanh(x * 0.5) * 0.5 + 0.5


def quantize(h: Tensor) -> Tensor:
    """The nearest integer to 127 h, ties to even, as int8."""
    return (h * 127).round().clamp(-127, 127).to(torch.int8)


def softmax(logits: Tensor) -> Tensor:
    """The exponentials of logits less the largest, over their sum in 16 lanes and a tree."""
    x = (logits - logits.max()).clamp_min(float(arithmetic.EXP_LIMIT))
    n = (x * _constant(arithmetic.LOG2_E)).round()
    r = x - n * _constant(arithmetic.LN2_HIGH)
    r = r - n * _constant(arithmetic.LN2_LOW)
    e = _constant(arithmetic.EXP_E[3])
    for coefficient in arithmetic.EXP_E[2::-1]:
        e = e * r + _constant(coefficient)
    e = e * (r * r) + r + 1
    e = e * torch.pow(torch.tensor(2.0), n)
    lanes = [torch.tensor(0.0)] * arithmetic.LANES
    for index, value in enumerate(e):
        lanes[index % arithmetic.LANES] = lanes[index % arithmetic.LANES] + value
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [lanes[i] + lanes[i + half] for i in range(half)]
    return e / lanes[0]


def mixed(x: int) -> int:
    """xxHash32's avalanche of an integer modulo 2³²."""
    x %= 2**32
    x = (x ^ x >> 15) * 0x85EBCA77 % 2**32
    x = (x ^ x >> 13) * 0xC2B2AE3D % 2**32
    return x ^ x >> 16


class Known:
    """What the contexts of one state remember of the ids that were read so far."""

    def __init__(self, config: NetworkConfig, table: PackedTable) -> None:
        self._config = config
        self._table = table
        self._words = config.vocabulary().word_ids.tolist()
        self.history = [0] * HISTORY
        self.word = self.before = 0

    def read(self, index: int) -> None:
        """Reads one id; the start symbol forgets all that was read before it."""
        if index == len(self._words) - 1:
            self.history, self.word, self.before = [0] * HISTORY, 0, 0
        last = self.history[0]
        if not self._words[index] and last and self._words[last - 1]:
            self.before = self.word
        self.word = ((self.word if self._words[index] else 0) + index + 1) * SPREAD % 2**32
        self.history = [index + 1, *self.history[:-1]]

    def vectors(self) -> Tensor:
        """The rows of the table that the contexts lead to, one after another, int8."""
        return torch.cat([self._row(self._hash(name)) for name in self._config.contexts])

    def to_bytes(self) -> bytes:
        """What is remembered, as the last 40 bytes of a state."""
        words = np.array([self.word, self.before], "<u4")
        return np.array(self.history, "<u2").tobytes() + words.tobytes()

    def _hash(self, name: str) -> int:
        if name == "word":
            return mixed(self.word + 17 * ORDER)
        if name == "words":
            return mixed(self.word + self.before * BEFORE + 18 * ORDER)
        f = 0
        for value in self.history[: int(name)]:
            f = (f + value) * SPREAD
        return mixed(f + int(name) * ORDER)

    def _row(self, number: int) -> Tensor:
        kept = np.unpackbits(self._table.kept, bitorder="little")
        number >>= 32 - self._config.context_bits
        if not kept[number]:
            return torch.zeros(self._config.context_width, dtype=torch.int8)
        packed = self._table.rows[kept[:number].sum(dtype=int)].tolist()
        codes = [byte % 16 for byte in packed] + [byte // 16 for byte in packed]
        return torch.tensor([self._table.levels[code] for code in codes], dtype=torch.int8)


class Reference:
    """One state of a quantized network, stepped an id at a time.

    For each layer, `h` is the hidden state as int8, and `c` is what the kind of cell keeps as
    float32: an LSTM's memory, or the exact h of a GRU.
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self.network = network
        steps = {"elman": self._elman, "gru": self._gru, "lstm": self._lstm}
        self._advance = for_cell(steps, network.config.cell)
        hidden, layers = network.config.hidden, network.config.layers
        self.h = [torch.zeros(hidden, dtype=torch.int8) for _ in range(layers)]
        self.c = [torch.zeros(hidden) for _ in range(layers)]
        self.known = Known(network.config, network.contexts.table) if network.contexts else None
        for index in network.config.beginning:
            self.step(index)

    def step(self, index: int) -> None:
        """Reads one id."""
        for number, layer in enumerate(self.network.layers):
            x = self._input(layer, number, index)
            y = product(layer.recurrent, self.h[number])
            self.h[number] = self._advance(layer, number, x, y)
        if self.known:
            self.known.read(index)

    def probabilities(self) -> Tensor:
        """The next-id distribution, shape (vocabulary,)."""
        bias = torch.from_numpy(self.network.output_bias)
        x = torch.cat([self.h[-1], self.known.vectors()]) if self.known else self.h[-1]
        return softmax(product(self.network.output, x) + bias)

    def read(self) -> bytes:
        """The state as a pool reads it."""
        parts = []
        for h, c in zip(self.h, self.c, strict=True):
            for _, kind in self.network.config.kind.state:
                array = c if kind == FLOAT32 else h
                parts.append(array.numpy().astype(kind).tobytes())
        if self.known:
            parts.append(self.known.to_bytes())
        return b"".join(parts)

    def _input(self, layer: Layer, number: int, index: int) -> Tensor:
        if layer.table is not None:
            return torch.from_numpy(layer.table[index])
        assert layer.input is not None
        return product(layer.input, self.h[number - 1]) + torch.from_numpy(layer.bias)

    def _elman(self, layer: Layer, number: int, x: Tensor, y: Tensor) -> Tensor:
        return quantize(tanh(x + y))

    def _gru(self, layer: Layer, number: int, x: Tensor, y: Tensor) -> Tensor:
        x_r, x_z, x_n = x.chunk(3)
        y_r, y_z, y_n = y.chunk(3)
        n = tanh(x_n + (y_n + torch.from_numpy(layer.biases["c"])) * sigmoid(x_r + y_r))
        self.c[number] = (self.c[number] - n) * sigmoid(x_z + y_z) + n
        return quantize(self.c[number])

    def _lstm(self, layer: Layer, number: int, x: Tensor, y: Tensor) -> Tensor:
        i, f, g, o = (x + y).chunk(4)
        self.c[number] = self.c[number] * sigmoid(f) + sigmoid(i) * tanh(g)
        return quantize(sigmoid(o) * tanh(self.c[number]))
