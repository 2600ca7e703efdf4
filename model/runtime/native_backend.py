"""The compiled backend: a network laid out for it, and a pool whose steps are one call each."""

import ctypes
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from model.network.config import CELL_KINDS
from model.network.contexts import NUMBERS, ZERO_CODE, pack_rows
from model.runtime import border
from model.runtime import native_library as native
from model.runtime.arithmetic import Floats, quantize
from model.runtime.network_output import NetworkOutput
from model.runtime.pool import Ids, Pool, Slots, longest_first
from model.runtime.quantized import HashedContexts, Product, QuantizedNetwork

# The bytes of a cache line.
ALIGNMENT = 64
# The place of a kind of cell is its number in step.c.
CELLS = tuple(CELL_KINDS)


class Panels:
    """The order of a matrix's rows: in groups of 16 units, gate by gate within a group.

    In this order the sums of all gates of a unit are computed together. A panel has at most four
    vectors and holds as many groups as fit: four where there is one gate (an Elman cell, the output
    layer), one where there are three or four gates. Rows are added until the last panel is full.
    """

    def __init__(self, gates: int, units: int) -> None:
        groups = native.VECTORS // gates
        wide = groups * native.PANEL
        self._shape = (gates, -(-units // wide) * wide)
        self._vectors = groups * gates
        self.rows = math.prod(self._shape)
        self._order = (
            np.arange(self.rows).reshape(gates, -1, native.PANEL).transpose(1, 0, 2).ravel()
        )

    def arrange(self, array: NDArray[Any], fill: float = 0) -> NDArray[Any]:
        """The rows of an array in the order of the panels; rows that are added hold `fill`."""
        gates, units = self._shape
        by_gate = array.reshape(gates, -1, *array.shape[1:])
        padded = np.full((gates, units, *array.shape[1:]), fill, array.dtype)
        padded[:, : by_gate.shape[1]] = by_gate
        return padded.reshape(-1, *array.shape[1:])[self._order]

    def interleave(self, arranged: NDArray[np.int8], rows_first: bool) -> NDArray[np.int8]:
        """Arranged weights cut into vectors of 16 rows by 4 columns.

        With `rows_first` all vectors of the same rows lie together, else all of the same columns.
        """
        columns = arranged.shape[1]
        grouped = arranged.reshape(-1, self._vectors, native.PANEL, columns // 4, 4)
        return grouped.transpose(0, 1, 3, 2, 4) if rows_first else grouped.transpose(0, 3, 1, 2, 4)


class NativeNetwork:
    """A quantized network as step.c reads it; all pools of a runtime share it."""

    def __init__(self, network: QuantizedNetwork, backend: str) -> None:
        self.network = network
        self._rows_first = backend != "vnni"
        # All that the structures point to, layer by layer, in the order of their fields.
        self.arrays: list[NDArray[Any]] = []
        config = network.config
        panels = Panels(config.kind.gates, config.hidden)
        layers = (native.CLayer * config.layers)()
        for to, layer in zip(layers, network.layers, strict=True):
            if layer.table is not None:
                to.table = self._keep(panels.arrange(layer.table.T).T)
            if layer.input is not None:
                to.input = self._product(layer.input, panels)
                to.bias = self._keep(panels.arrange(layer.bias))
            to.recurrent = self._product(layer.recurrent, panels)
            if "c" in layer.biases:
                to.reset_bias = self._keep(layer.biases["c"])
        outputs = Panels(1, network.size)
        self.padded_size = outputs.rows
        self.columns = network.output.weights.shape[1]
        self.columns += -self.columns % native.COLUMNS_AT_ONCE
        self.structure = native.CNetwork(
            CELLS.index(config.cell),
            config.layers,
            config.hidden,
            network.size,
            self.columns,
            layers,
            self._product(network.output, outputs),
            self._keep(outputs.arrange(network.output_bias, -np.inf)),
        )
        if network.contexts:
            self.structure.contexts = ctypes.pointer(self._contexts(network.contexts))

    def _product(self, product: Product, panels: Panels) -> native.CProduct:
        weights = product.weights
        if missing := -weights.shape[1] % native.COLUMNS_AT_ONCE:
            weights = np.pad(weights, ((0, 0), (0, missing)))
        weights = panels.arrange(weights)
        return native.CProduct(
            self._keep(panels.interleave(weights, self._rows_first)),
            self._keep(-128 * weights.sum(axis=1, dtype=np.int32)),
            self._keep(panels.arrange(product.scale)),
        )

    def _contexts(self, contexts: HashedContexts) -> native.CContexts:
        hashes, table = contexts.hashes, contexts.table
        config = self.network.config
        numbers = [NUMBERS[name] for name in hashes.names]
        # The arrays of the table are not copied: where they are mapped, processes share them.
        return native.CContexts(
            len(numbers),
            config.context_width,
            config.context_bits,
            self._keep(np.array(numbers, np.int64)),
            self._keep(config.vocabulary().word_ids.astype(np.uint8)),
            table.kept.ctypes.data,
            table.ranks.ctypes.data,
            table.rows.ctypes.data,
            self._keep(table.levels),
            self._keep(pack_rows(np.full(config.context_width, ZERO_CODE, np.uint8))),
        )

    def _keep(self, array: NDArray[Any]) -> int:
        kept = _aligned(array.shape, array.dtype)
        kept[...] = array
        self.arrays.append(kept)
        return int(kept.ctypes.data)


class NativePool(Pool):
    """States side by side as bytes. Calls give C one pointer to the pool, which is made once."""

    def __init__(
        self, native_network: NativeNetwork, functions: native.Functions, capacity: int
    ) -> None:
        super().__init__(native_network.network, capacity)
        self._native = native_network
        self._functions = functions
        contexts = len(self.network.config.contexts)
        stride = -(-self.network.state_size // ALIGNMENT) * ALIGNMENT
        self._states = _aligned((capacity, stride), np.uint8)
        config = self.network.config
        # The h of the last layer in all slots.
        layers = self._states[:, : self.network.layers_size].view(config.layer_state)
        self._last = layers[:, -1]["h"]
        self._slots = border.Integers(_aligned((capacity,), np.int64))
        self._ids = border.Integers(_aligned((capacity,), np.int64))
        self._seen = _aligned((capacity,), np.int64)
        self._rows = _aligned((2, capacity, native.row_bytes(native_network.columns)), np.uint8)
        self._numbers = _aligned((capacity, contexts), np.uint32)
        self._found = _aligned((capacity, contexts), np.uintp)
        self._logits = _aligned((capacity, native_network.padded_size), np.float32)
        self._best = _aligned((capacity,), np.int32)
        self._probability = _aligned((capacity,), np.float32)
        self._structure = native.CPool(
            ctypes.pointer(native_network.structure),
            capacity,
            stride,
            self._states.ctypes.data,
            self._slots.array.ctypes.data,
            self._ids.array.ctypes.data,
            self._seen.ctypes.data,
            0,
            0,
            self._rows[0].ctypes.data,
            self._rows[1].ctypes.data,
            self._numbers.ctypes.data,
            self._found.ctypes.data,
            self._logits.ctypes.data,
            self._best.ctypes.data,
            self._probability.ctypes.data,
        )
        self.address = ctypes.addressof(self._structure)
        self.padded_size = native_network.padded_size

    def step(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> None:
        self._move(self._functions.step, slots, ids)

    def follow(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> tuple[Ids, Floats]:
        count = self._move(self._functions.follow, slots, ids, native.BEST)
        return self._best[:count].copy(), self._probability[:count].copy()

    def predict(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> Floats:
        count = self._move(self._functions.follow, slots, ids, native.PROBABILITIES)
        return self._logits[:count, : self.network.size].copy()

    def absorb(self, slots: Slots, texts: Sequence[Ids]) -> None:
        order, begins, ids = longest_first(slots, texts)
        count = self._slots.place(np.asarray(slots)[order], "slots")
        fault = self._functions.absorb(self.address, count, begins.ctypes.data, ids.ctypes.data)
        if fault:
            self._refuse(fault, ids)

    def best(self, slots: Slots) -> tuple[Ids, Floats]:
        count = self._predict(slots, native.BEST)
        return self._best[:count].copy(), self._probability[:count].copy()

    def logits(self, slots: Slots) -> Floats:
        count = self._predict(slots, native.LOGITS)
        return self._logits[:count, : self.network.size].copy()

    def probabilities(self, slots: Slots) -> Floats:
        count = self._predict(slots, native.PROBABILITIES)
        return self._logits[:count, : self.network.size].copy()

    def hidden(self, slots: Slots) -> NDArray[np.int8]:
        at = self._slots.array[: self._slots.place(slots, "slots")]
        border.check_slots(at, self.capacity)
        return self._hidden_of(at)

    def network_output(self, slots: Slots) -> NetworkOutput:
        p = self.probabilities(slots)
        # `probabilities` has just placed and checked the slots.
        return NetworkOutput(p, self._hidden_of(self._slots.array[: len(p)]))

    def _hidden_of(self, at: NDArray[np.int64]) -> NDArray[np.int8]:
        last = self._last.take(at, axis=0)
        return quantize(last).astype(np.int8) if self.network.config.kind.keeps_exact_h else last

    def clear(self, slot: int) -> None:
        self._states[border.check_slot(slot, self.capacity)] = 0

    def read(self, slot: int) -> bytes:
        slot = border.check_slot(slot, self.capacity)
        return self._states[slot, : self.network.state_size].tobytes()

    def write(self, slot: int, state: bytes) -> None:
        border.check_length(state, self.network.state_size)
        slot = border.check_slot(slot, self.capacity)
        if fault := self._functions.put(self.address, slot, state):
            self._refuse(fault, self._ids.array)

    def _move(
        self, function: Any, slots: Slots, ids: Sequence[int] | NDArray[np.integer], *wanted: int
    ) -> int:
        count = self._slots.place(slots, "slots")
        border.same_count(count, self._ids.place(ids, "ids"), "ids")
        fault = function(self.address, count, *wanted)
        if fault:
            self._refuse(fault, self._ids.array)
        return count

    def _predict(self, slots: Slots, wanted: int) -> int:
        count = self._slots.place(slots, "slots")
        fault = self._functions.predict(self.address, count, wanted)
        if fault:
            self._refuse(fault, self._ids.array)
        return count

    def _refuse(self, fault: int, ids: NDArray[np.int64]) -> NoReturn:
        at = self._structure.fault
        if fault == native.CELL_UNKNOWN:
            border.refuse_cell(self.network.config.cell)
        if fault == native.STATE_IMPOSSIBLE:
            border.refuse_state()
        if fault == native.SLOT_OUT_OF_RANGE:
            border.refuse_slot(int(self._slots.array[at]), self.capacity)
        if fault == native.SLOT_TWICE:
            border.refuse_twice(int(self._slots.array[at]))
        border.refuse_id(int(ids[at]), self.network.size)


def _aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that begin at a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + ALIGNMENT, np.uint8)
    return np.ndarray(shape, dtype, room, -room.ctypes.data % ALIGNMENT)
