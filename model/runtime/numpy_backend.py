"""The numpy backend: integers held in floating point go through BLAS exactly.

A product of int8 by int8 is below 2¹⁴, so float32 holds every partial sum of up to 1,040 of them
exactly, and float64 those of any width that a network has; the order of summing then changes
nothing. ARITHMETIC.md beside this file specifies each step.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.runtime.arithmetic import Floats, f32, quantize, sigmoid, tanh
from model.runtime.pool import Ids, Pool, Slots
from model.runtime.quantized import Product, QuantizedNetwork

EXACT_IN_FLOAT32 = 2**24 // 127**2


class _Matrix:
    """A quantized matrix laid out for BLAS: integer states (batch, hidden) to scaled sums."""

    def __init__(self, product: Product) -> None:
        exact = product.weights.shape[1] <= EXACT_IN_FLOAT32
        self._kind = np.float32 if exact else np.float64
        self._weights = np.ascontiguousarray(product.weights.T, self._kind)
        self._scale = product.scale

    def __call__(self, h: Floats) -> Floats:
        sums = np.matmul(h.astype(self._kind, copy=False), self._weights)
        return np.multiply(sums.astype(np.float32, copy=False), self._scale)


class NumpyPool(Pool):
    """States as arrays: h as integers held in float32, c (or a GRU's exact h) as float32."""

    def __init__(self, network: QuantizedNetwork, capacity: int) -> None:
        super().__init__(network, capacity)
        config = network.config
        shape = (config.layers, capacity, config.hidden)
        self._h = np.zeros(shape, np.float32)
        self._c = np.zeros(shape if config.cell != "elman" else (config.layers, 0, 0), np.float32)
        self._inputs = [_Matrix(x.input) if x.input else None for x in network.layers]
        self._recurrent = [_Matrix(x.recurrent) for x in network.layers]
        self._output = _Matrix(network.output)
        self._advance = {"elman": self._elman, "gru": self._gru, "lstm": self._lstm}[config.cell]

    def step(self, slots: Slots, ids: Sequence[int] | Ids) -> None:
        at = np.asarray(slots, np.int64)
        below: Floats | None = None
        for index, layer in enumerate(self.network.layers):
            matrix = self._inputs[index]
            if below is None or matrix is None:
                assert layer.table is not None
                x = layer.table[np.asarray(ids, np.int64)]
            else:
                x = matrix(below)
                x += layer.bias
            y = self._recurrent[index](self._h[index, at])
            below = self._advance(index, at, x, y)
            self._h[index, at] = below

    def _elman(self, index: int, at: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
        x += y
        return quantize(tanh(x))

    def _gru(self, index: int, at: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
        hidden = self.network.config.hidden
        gates = sigmoid(x[:, : 2 * hidden] + y[:, : 2 * hidden])
        r, z = gates[:, :hidden], gates[:, hidden:]
        y_n = y[:, 2 * hidden :] + self.network.layers[index].reset_bias
        y_n *= r
        n = tanh(x[:, 2 * hidden :] + y_n)
        h = self._c[index, at]
        h -= n
        h *= z
        h += n
        self._c[index, at] = h
        return quantize(h)

    def _lstm(self, index: int, at: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
        hidden = self.network.config.hidden
        x += y
        # σ(a) = ½ + ½ tanh(½ a): one pass of tanh over all gates, halved where they are sigmoids.
        for begin in (0, hidden, 3 * hidden):
            x[:, begin : begin + hidden] *= f32(0.5)
        x = tanh(x)
        for begin in (0, hidden, 3 * hidden):
            gate = x[:, begin : begin + hidden]
            gate *= f32(0.5)
            gate += f32(0.5)
        i, f, g, o = (x[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = self._c[index, at]
        c *= f
        c += i * g
        self._c[index, at] = c
        return quantize(o * tanh(c))

    def logits(self, slots: Slots) -> Floats:
        logits = self._output(self._h[-1, np.asarray(slots, np.int64)])
        logits += self.network.output_bias
        return logits

    def clear(self, slot: int) -> None:
        self._h[:, slot] = 0
        if self._c.size:
            self._c[:, slot] = 0

    def read(self, slot: int) -> bytes:
        parts = []
        for index in range(self.network.config.layers):
            if self.network.config.cell != "gru":
                parts.append(self._h[index, slot].astype(np.int8).tobytes())
            if self._c.size:
                parts.append(self._c[index, slot].astype("<f4", copy=False).tobytes())
        return b"".join(parts)

    def write(self, slot: int, state: bytes) -> None:
        self._check(state)
        hidden, begin = self.network.config.hidden, 0
        for index in range(self.network.config.layers):
            if self.network.config.cell != "gru":
                self._h[index, slot] = np.frombuffer(state, np.int8, hidden, begin)
                begin += hidden
            if self._c.size:
                self._c[index, slot] = np.frombuffer(state, "<f4", hidden, begin)
                begin += 4 * hidden
            if self.network.config.cell == "gru":
                self._h[index, slot] = quantize(self._c[index, slot])


