"""The numpy backend: integers held in floating point go through BLAS exactly.

A product of int8 by int8 is at most 127². Up to 1,040 such products sum to less than 2²⁴, so
float32 holds every partial sum exactly; float64 does for any width that a network has. The order in
which BLAS sums then changes nothing. ARITHMETIC.md beside this file specifies each step.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.hashing import MULTIPLIER
from model.network.config import FLOAT32, for_cell
from model.network.contexts import STATE_SIZE, ContextState
from model.runtime import border
from model.runtime.arithmetic import ACTIVATION, Floats, f32, quantize, sigmoid, tanh
from model.runtime.pool import Pool, Slots
from model.runtime.quantized import Product, QuantizedNetwork

Integers = NDArray[np.int64]

# Up to this many columns, float32 holds every partial sum of a product exactly.
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
    """States as arrays (layers, capacity, hidden): h as integers held in float32, for products.

    For each part of the state that the kind of cell keeps as float32 (an LSTM's c, a GRU's h),
    `_exact` has another such array. The state of the contexts is kept as bytes, (capacity, 40).
    """

    def __init__(self, network: QuantizedNetwork, capacity: int) -> None:
        super().__init__(network, capacity)
        config = network.config
        shape = (config.layers, capacity, config.hidden)
        self._h = np.zeros(shape, np.float32)
        self._exact: dict[str, Floats] = {
            name: np.zeros(shape, np.float32) for name, kind in config.kind.state if kind == FLOAT32
        }
        # The arrays in the order of a state's bytes, each with its type there.
        self._state = [(self._exact.get(name, self._h), kind) for name, kind in config.kind.state]
        self._known = np.zeros((capacity, STATE_SIZE if config.contexts else 0), np.uint8)
        self._in_word = config.vocabulary().word_ids
        self._inputs = [_Matrix(x.input) if x.input else None for x in network.layers]
        self._recurrent = [_Matrix(x.recurrent) for x in network.layers]
        self._output = _Matrix(network.output)
        steps = {"elman": self._elman, "gru": self._gru, "lstm": self._lstm}
        self._advance = for_cell(steps, config.cell)

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
        y_n = y[:, 2 * hidden :] + self.network.layers[index].biases["c"]
        y_n *= r
        n = tanh(x[:, 2 * hidden :] + y_n)
        h = self._exact["h"][index, at]
        h -= n
        h *= z
        h += n
        self._exact["h"][index, at] = h
        return quantize(h)

    def _lstm(self, index: int, at: Integers, x: Floats, y: Floats) -> Floats:
        hidden = self.network.config.hidden
        x += y
        # σ(a) = ½ + ½ tanh(½ a), so one pass of tanh serves all four gates: the sigmoids' inputs
        # are halved before it, and their outputs after it.
        for begin in (0, hidden, 3 * hidden):
            x[:, begin : begin + hidden] *= f32(0.5)
        x = tanh(x)
        for begin in (0, hidden, 3 * hidden):
            gate = x[:, begin : begin + hidden]
            gate *= f32(0.5)
            gate += f32(0.5)
        i, f, g, o = (x[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = self._exact["c"][index, at]
        c *= f
        c += i * g
        self._exact["c"][index, at] = c
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
        """Reads one id into the state of the contexts; `Contexts.follow` reads whole texts."""
        known = self._known[at]
        known[read == self.network.size] = 0
        history, (word, before) = known[:, :-8].view("<u2"), known[:, -8:].view("<u4").T
        # Where nothing was read yet the value is 0, so the index is −1: the last element, that of
        # the start symbol, which is in no word either.
        inside, was_inside = self._in_word[read], self._in_word[history[:, 0].astype(np.int64) - 1]
        np.copyto(before, word, where=was_inside & ~inside)
        word *= inside
        word += (read + 1).astype(np.uint32)
        word *= np.uint32(MULTIPLIER)
        history[:, 1:] = history[:, :-1].copy()
        history[:, 0] = read + 1
        self._known[at] = known

    def clear(self, slot: int) -> None:
        slot = border.check_slot(slot, self.capacity)
        for array in (self._h, *self._exact.values()):
            array[:, slot] = 0
        self._known[slot] = 0

    def read(self, slot: int) -> bytes:
        slot = border.check_slot(slot, self.capacity)
        parts = []
        for index in range(self.network.config.layers):
            for array, kind in self._state:
                parts.append(array[index, slot].astype(kind, copy=False).tobytes())
        return b"".join([*parts, self._known[slot].tobytes()])

    def write(self, slot: int, state: bytes) -> None:
        border.check_length(state, self.network.state_size)
        slot = border.check_slot(slot, self.capacity)
        config = self.network.config
        layers = np.frombuffer(state, config.layer_state, config.layers)
        known = np.frombuffer(state, np.uint8, offset=layers.nbytes)
        if config.contexts:
            border.check_known(ContextState.from_bytes(known[None]), self.network.size)
        arrays = {name: layers[name].astype(np.float32) for name, _ in config.kind.state}
        for name, array in arrays.items():
            largest = border.LARGEST_STATE if name in self._exact else ACTIVATION
            # Any comparison with a NaN is false, so NaNs are refused too.
            if not (np.abs(array) <= largest).all():
                border.refuse_state()
        self._known[slot] = known
        self._h[:, slot] = quantize(arrays["h"]) if config.kind.keeps_exact_h else arrays["h"]
        for name, exact in self._exact.items():
            exact[:, slot] = arrays[name]

    def _integers(self, values: Sequence[int] | NDArray[np.integer], name: str) -> Integers:
        room = border.Integers(np.empty(self.capacity, np.int64))
        return room.array[: room.place(values, name)]
