"""The numpy backend: integers held in floating point go through BLAS exactly.

A product of int8 by int8 is below 2¹⁴, so float32 holds every partial sum of up to 1,040 of them
exactly, and float64 those of any width that a network has; the order of summing then changes
nothing. ARITHMETIC.md beside this file specifies each step.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.network.contexts import STATE_SIZE, ContextState
from model.runtime import border
from model.runtime.arithmetic import ACTIVATION, SPREAD, Floats, f32, quantize, sigmoid, tanh
from model.runtime.pool import Pool, Slots
from model.runtime.quantized import Product, QuantizedNetwork

Integers = NDArray[np.int64]

EXACT_IN_FLOAT32 = 2**24 // 127**2


class _Matrix:
    """A quantized matrix laid out for BLAS: integers (batch, columns) to scaled sums."""

    def __init__(self, product: Product) -> None:
        exact = product.weights.shape[1] <= EXACT_IN_FLOAT32
        self._kind = np.float32 if exact else np.float64
        self._weights = np.ascontiguousarray(product.weights.T, self._kind)
        self._scale = product.scale

    def __call__(self, h: Floats) -> Floats:
        sums = np.matmul(h.astype(self._kind, copy=False), self._weights)
        scaled: Floats = np.multiply(sums.astype(np.float32, copy=False), self._scale)
        return scaled


class NumpyPool(Pool):
    """States as arrays: h as integers held in float32, c (or a GRU's exact h) as float32.

    What the contexts need to know is kept as bytes.
    """

    def __init__(self, network: QuantizedNetwork, capacity: int) -> None:
        super().__init__(network, capacity)
        config = network.config
        shape = (config.layers, capacity, config.hidden)
        self._h = np.zeros(shape, np.float32)
        self._c = np.zeros(shape if config.cell != "elman" else (config.layers, 0, 0), np.float32)
        self._known = np.zeros((capacity, STATE_SIZE if config.contexts else 0), np.uint8)
        self._in_word = config.vocabulary().word_ids
        self._inputs = [_Matrix(x.input) if x.input else None for x in network.layers]
        self._recurrent = [_Matrix(x.recurrent) for x in network.layers]
        self._output = _Matrix(network.output)
        self._advance = {"elman": self._elman, "gru": self._gru, "lstm": self._lstm}[config.cell]

    def step(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> None:
        at, read = self._integers(slots, "slots"), self._integers(ids, "ids")
        border.same_count(len(at), len(read), "ids")
        border.check_slots(at, self.capacity)
        border.check_ids(read, self.network.size)
        below: Floats | None = None
        for index, layer in enumerate(self.network.layers):
            matrix = self._inputs[index]
            if below is None or matrix is None:
                assert layer.table is not None
                x = layer.table[read]
            else:
                x = matrix(below)
                x += layer.bias
            y = self._recurrent[index](self._h[index, at])
            below = self._advance(index, at, x, y)
            self._h[index, at] = below
        if self.network.contexts:
            self._remember(at, read)

    def _elman(self, index: int, at: Integers, x: Floats, y: Floats) -> Floats:
        x += y
        return quantize(tanh(x))

    def _gru(self, index: int, at: Integers, x: Floats, y: Floats) -> Floats:
        hidden = self.network.config.hidden
        gates = sigmoid(x[:, : 2 * hidden] + y[:, : 2 * hidden])
        r, z = gates[:, :hidden], gates[:, hidden:]
        reset_bias = self.network.layers[index].reset_bias
        assert reset_bias is not None
        y_n = y[:, 2 * hidden :] + reset_bias
        y_n *= r
        n = tanh(x[:, 2 * hidden :] + y_n)
        h = self._c[index, at]
        h -= n
        h *= z
        h += n
        self._c[index, at] = h
        return quantize(h)

    def _lstm(self, index: int, at: Integers, x: Floats, y: Floats) -> Floats:
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
        at = self._integers(slots, "slots")
        border.check_slots(at, self.capacity)
        x, config = self._h[-1, at], self.network.config
        if contexts := self.network.contexts:
            rows = contexts.hashes.rows(ContextState.from_bytes(self._known[at]))
            found = contexts.table.look_up(rows).reshape(
                len(at), config.output_inputs - config.hidden
            )
            x = np.concatenate([x, found], axis=1, dtype=np.float32)
        logits = self._output(x)
        logits += self.network.output_bias
        return logits

    def hidden(self, slots: Slots) -> NDArray[np.int8]:
        at = self._integers(slots, "slots")
        border.check_slots(at, self.capacity)
        hidden: NDArray[np.int8] = self._h[-1, at].astype(np.int8)
        return hidden

    def _remember(self, at: Integers, read: Integers) -> None:
        """What the contexts know after one id each; `Contexts.follow` does it for whole texts."""
        known = self._known[at]
        known[read == self.network.size] = 0
        history, (word, before) = known[:, :-8].view("<u2"), known[:, -8:].view("<u4").T
        # The value of nothing, 0, is the place of the start symbol, which is in no word either.
        inside, was_inside = self._in_word[read], self._in_word[history[:, 0].astype(np.int64) - 1]
        np.copyto(before, word, where=was_inside & ~inside)
        word *= inside
        word += (read + 1).astype(np.uint32)
        word *= SPREAD
        history[:, 1:] = history[:, :-1].copy()
        history[:, 0] = read + 1
        self._known[at] = known

    def clear(self, slot: int) -> None:
        slot = border.check_slot(slot, self.capacity)
        self._h[:, slot] = 0
        if self._c.size:
            self._c[:, slot] = 0
        self._known[slot] = 0

    def read(self, slot: int) -> bytes:
        slot = border.check_slot(slot, self.capacity)
        parts = []
        for index in range(self.network.config.layers):
            if self.network.config.cell != "gru":
                parts.append(self._h[index, slot].astype(np.int8).tobytes())
            if self._c.size:
                parts.append(self._c[index, slot].astype("<f4", copy=False).tobytes())
        return b"".join([*parts, self._known[slot].tobytes()])

    def write(self, slot: int, state: bytes) -> None:
        border.check_length(state, self.network.state_size)
        slot = border.check_slot(slot, self.capacity)
        config = self.network.config
        h, c = np.zeros((2, config.layers, config.hidden), np.float32)
        begin = 0
        for index in range(config.layers):
            if config.cell != "gru":
                h[index] = np.frombuffer(state, np.int8, config.hidden, begin)
                begin += config.hidden
            if config.cell != "elman":
                c[index] = np.frombuffer(state, "<f4", config.hidden, begin)
                begin += 4 * config.hidden
        known = np.frombuffer(state, np.uint8, offset=begin)
        if config.contexts:
            border.check_known(ContextState.from_bytes(known[None]), self.network.size)
        # Not a number compares as false.
        if not ((np.abs(c) <= border.LARGEST_STATE).all() and (h >= -ACTIVATION).all()):
            border.refuse_state()
        self._known[slot] = known
        self._h[:, slot] = quantize(c) if config.cell == "gru" else h
        if self._c.size:
            self._c[:, slot] = c

    def _integers(self, values: Sequence[int] | NDArray[np.integer], name: str) -> Integers:
        room = border.Integers(np.empty(self.capacity, np.int64))
        return room.array[: room.place(values, name)]
