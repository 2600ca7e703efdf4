"""The compiled backend: the structures of adapt.c, and the calls that work on them."""

import ctypes
from array import array
from collections.abc import Sequence
from ctypes import c_int32, c_int64, c_uint16, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.adaptation import tables
from model.adaptation.candidates import CANDIDATES_MOST, GROUPS, RECENT
from model.adaptation.engine import Collected, Cursor, Engine, Floats, Integers, Stale
from model.adaptation.index import Ids, Index, Symbols
from model.adaptation.parameters import OWN, SHARED, Parameters
from model.runtime.network_output import NetworkOutput

LIBRARY = Path(__file__).with_name("_adapt.so")
# The version of the structures below, which adapt.c states too. A library with another number was
# built from another version's source.
LAYOUT: Final = 3
# How many counters outcomes have: one for each group of the longest match, and one for the newest
# place after the same two ids.
TALLIES: Final = GROUPS + 1
NONE, STALE, ID_OUT_OF_RANGE = range(3)


class CContext(ctypes.Structure):
    """The context at some place."""

    _fields_ = [
        ("recent", c_uint16 * RECENT),
        ("word", c_uint32),
        ("before", c_uint32),
        ("older", c_uint32),
        ("letters", c_int32),
        ("inside", c_int32),
        ("place", c_int32),
        ("line", c_int32),
        ("over", c_int32),
    ]


class CModel(ctypes.Structure):
    """The scorer, its tables, and the symbols."""

    _fields_ = [
        ("size", c_int64),
        ("units", c_int64),
        ("first", c_int64),
        ("second", c_int64),
        ("letters", c_void_p),
        ("logarithm", c_void_p),
        ("exponential", c_void_p),
        ("lowest", c_int32),
        ("highest", c_int32),
        ("view", c_void_p),
        ("first_shared", c_void_p),
        ("first_own", c_void_p),
        ("first_view", c_void_p),
        ("first_bias", c_void_p),
        ("second_own", c_void_p),
        ("second_mean", c_void_p),
        ("second_bias", c_void_p),
        ("output", c_void_p),
        ("output_bias", c_void_p),
        ("shifts", c_void_p),
        ("newline", c_int64),
        ("space", c_int64),
    ]


class CPage(ctypes.Structure):
    """An index."""

    _fields_ = [
        ("model", c_void_p),
        ("capacity", c_int64),
        ("length", c_int64),
        ("changes", c_int64),
        ("ids", c_void_p),
        ("entries", c_void_p),
        ("heads", c_void_p),
        ("singles", c_void_p),
        ("pairs", c_void_p),
        ("tried", c_int64 * TALLIES),
        ("right", c_int64 * TALLIES),
        ("end", CContext),
    ]


class CCursor(ctypes.Structure):
    """A place beyond an index's end."""

    _fields_ = [("page", c_void_p), ("changes", c_int64), ("context", CContext)]


@cache
def library() -> ctypes.CDLL | None:
    """The library; None where it was not built, or was built from another version's source."""
    try:
        found = ctypes.CDLL(str(LIBRARY))
        if found.adaptation_layout() != LAYOUT:
            return None
    except (OSError, AttributeError):
        return None
    found.page_absorb.argtypes = [c_void_p, c_void_p, c_int64]
    found.page_start.argtypes = [c_void_p]
    found.page_start.restype = None
    found.page_truncate.argtypes = [c_void_p, c_int64]
    found.page_truncate.restype = None
    found.page_collect.argtypes = [c_void_p, c_void_p, c_int64, *5 * [c_void_p]]
    found.page_collect.restype = c_int64
    found.cursor_start.argtypes = [c_void_p, c_void_p]
    found.cursor_start.restype = None
    found.cursors_push.argtypes = [c_void_p, c_int64, c_void_p]
    found.cursors_mix.argtypes = [c_void_p, c_int64, *3 * [c_void_p]]
    found.cursors_best.argtypes = [c_void_p, c_int64, *5 * [c_void_p]]
    return found


class NativeIndex(Index):
    """An index that adapt.c works on."""

    def __init__(self, engine: "NativeEngine") -> None:
        super().__init__(engine.symbols.size)
        self._engine = engine
        self._structure = CPage(model=ctypes.addressof(engine.model))
        self.address = ctypes.addressof(self._structure)
        self._point()
        engine.library.page_start(self.address)

    @property
    def length(self) -> int:
        return int(self._structure.length)

    def absorb(self, ids: Ids) -> None:
        self.make_room(self.length + len(ids))
        wide = np.ascontiguousarray(ids, np.int64)
        check(self._engine.library.page_absorb(self.address, wide.ctypes.data, len(wide)))

    def truncate(self, length: int) -> None:
        self._engine.library.page_truncate(self.address, length)

    def make_room(self, length: int) -> None:
        if length > self.capacity:
            super().make_room(length)
            self._point()

    def _point(self) -> None:
        self._structure.capacity = self.capacity
        for name in ("ids", "entries", "heads", "singles", "pairs"):
            setattr(self._structure, name, getattr(self, name).ctypes.data)


class NativeCursor(Cursor):
    """A cursor of adapt.c."""

    def __init__(self, engine: "NativeEngine", index: NativeIndex, structure: CCursor) -> None:
        super().__init__(engine)
        self.engine: NativeEngine = engine
        self._index = index
        self._structure = structure
        self.address = ctypes.addressof(structure)

    def copy(self) -> "NativeCursor":
        structure = CCursor.from_buffer_copy(self._structure)
        return NativeCursor(self.engine, self._index, structure)


class NativeEngine(Engine[NativeIndex, NativeCursor]):
    """Indices and cursors in C; one call serves many cursors."""

    def __init__(self, parameters: Parameters, symbols: Symbols) -> None:
        super().__init__(parameters, symbols)
        found = library()
        assert found is not None
        self.library = found
        self._tables = tables.logarithm(), tables.exponential()
        self._weights = [in_pairs(array) for array in vars(parameters).values()]
        self.model = CModel(
            symbols.size,
            parameters.units,
            len(parameters.first_bias),
            len(parameters.second_bias),
            symbols.letters.ctypes.data,
            *(table.ctypes.data for table in self._tables),
            tables.LOWEST,
            tables.HIGHEST,
            *(array.ctypes.data for array in self._weights),
            symbols.newline,
            symbols.space,
        )

    def index(self) -> NativeIndex:
        return NativeIndex(self)

    def cursor(self, index: NativeIndex) -> NativeCursor:
        structure = CCursor()
        self.library.cursor_start(ctypes.addressof(structure), index.address)
        return NativeCursor(self, index, structure)

    def push(self, cursors: Sequence[NativeCursor], ids: Sequence[int] | Integers) -> None:
        wide = np.ascontiguousarray(ids, np.int64)
        self.check_count(len(cursors), wide)
        addresses = self._addresses(cursors)
        check(self.library.cursors_push(addresses.buffer_info()[0], len(wide), wide.ctypes.data))

    def mix(self, cursors: Sequence[NativeCursor], network_output: NetworkOutput) -> Floats:
        p, hidden = self.check_network_output(len(cursors), network_output)
        mixed = np.empty_like(p)
        addresses = self._addresses(cursors)
        where = (array.ctypes.data for array in (p, hidden, mixed))
        check(self.library.cursors_mix(addresses.buffer_info()[0], len(p), *where))
        return mixed

    def best(
        self, cursors: Sequence[NativeCursor], network_output: NetworkOutput
    ) -> tuple[Ids, Floats]:
        p, hidden = self.check_network_output(len(cursors), network_output)
        ids, highest = np.empty(len(p), np.int32), np.empty(len(p), np.float32)
        room = np.empty(self.symbols.size, np.float32)
        addresses = self._addresses(cursors)
        where = (array.ctypes.data for array in (p, hidden, room, ids, highest))
        check(self.library.cursors_best(addresses.buffer_info()[0], len(p), *where))
        return ids, highest

    def collect(self, index: NativeIndex, ids: Ids, probabilities: Floats) -> Collected:
        count = len(ids)
        index.make_room(index.length + count)
        wide = np.ascontiguousarray(ids, np.int64)
        p = self.check_probabilities(count, probabilities)
        counts = np.empty(count, np.int32)
        most = count * CANDIDATES_MOST
        found = np.empty(most, np.uint16)
        shared, own = np.empty((count, SHARED), np.int16), np.empty((most, OWN), np.int16)
        where = (array.ctypes.data for array in (p, counts, found, shared, own))
        total = self.library.page_collect(index.address, wide.ctypes.data, count, *where)
        if total < 0:
            check(ID_OUT_OF_RANGE)
        return Collected(counts, found[:total].copy(), shared, own[:total].copy())

    def _addresses(self, cursors: Sequence[NativeCursor]) -> "array[int]":
        return array("Q", [cursor.address for cursor in cursors])


def in_pairs(weights: NDArray[Any]) -> NDArray[Any]:
    """A matrix (units, inputs) as adapt.c reads it, (inputs / 2, units, 2); a vector as it is.

    Where the number of inputs is odd, an input of weight 0 is added.
    """
    if weights.ndim == 1:
        return weights
    if weights.shape[1] % 2:
        weights = np.pad(weights, ((0, 0), (0, 1)))
    units, inputs = weights.shape
    return np.ascontiguousarray(weights.reshape(units, inputs // 2, 2).transpose(1, 0, 2))


def check(fault: int) -> None:
    """Raises the exception that a fault's number stands for."""
    if fault == STALE:
        raise Stale
    if fault == ID_OUT_OF_RANGE:
        raise ValueError("an id that is not in the vocabulary")
