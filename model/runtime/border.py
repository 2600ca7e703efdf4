"""The checks of what a pool is given, before it computes anything."""

from collections.abc import Sequence
from operator import index
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.network.contexts import ContextState

Ids = NDArray[np.int32]
Slots = Sequence[int] | NDArray[np.int32] | NDArray[np.int64]

# No value of a state gets larger: a step adds less than 1.001, which float32 rounds away above 2²⁴.
LARGEST_STATE = np.float32(2**25)

# Sequences of up to this many integers are copied one by one, which is faster than numpy.
COPIED_ONE_BY_ONE = 8
# The type characters that numpy has for int32 and int64.
SIGNED_TYPES = "ilq"


class Integers:
    """An array into which integers are copied, in whatever form callers give them."""

    def __init__(self, array: NDArray[np.int64]) -> None:
        self.array = array
        self._view = array.data

    def place(self, values: Sequence[int] | NDArray[np.integer], name: str) -> int:
        """Copies integers to the front of the array and returns how many there are.

        Raises TypeError for anything but integers, ValueError for another shape or for too many.
        """
        count = len(values)
        if count > len(self._view):
            raise ValueError(f"{name}: {count} of them, but the pool holds {len(self._view)}")
        if not count:
            return 0
        # np.copyto takes values of any kind but needs over a microsecond. So the two usual forms
        # are handled here, and the others, refusals included, are left to it.
        if type(values) is np.ndarray:
            if values.dtype.char in SIGNED_TYPES and values.ndim == 1:
                self.array[:count] = values
                return count
        elif count <= COPIED_ONE_BY_ONE:
            try:
                for at, value in enumerate(values):
                    self._view[at] = value
                return count
            except (TypeError, ValueError):
                pass
        try:
            np.copyto(self.array[:count], values, casting="safe")
        except (TypeError, OverflowError):
            raise TypeError(f"{name}: expected integers, at most 64 bits wide") from None
        except ValueError:
            raise ValueError(f"{name}: expected one dimension, not {np.shape(values)}") from None
        return count


def same_count(slots: int, others: int, name: str) -> None:
    """Raises ValueError unless there are as many `others` as slots."""
    if slots != others:
        raise ValueError(f"{name}: {others} of them for {slots} slots")


def check_slot(slot: int, capacity: int) -> int:
    """The slot; raises ValueError where the pool has no slot of that number."""
    slot = index(slot)
    if not 0 <= slot < capacity:
        refuse_slot(slot, capacity)
    return slot


def check_slots(slots: NDArray[np.int64], capacity: int) -> None:
    """Raises ValueError for a slot that the pool does not have, or that is named twice."""
    outside = (slots < 0) | (slots >= capacity)
    if outside.any():
        refuse_slot(int(slots[outside][0]), capacity)
    names, times = np.unique(slots, return_counts=True)
    if len(names) != len(slots):
        refuse_twice(int(names[times > 1][0]))


def check_ids(ids: NDArray[np.int64], size: int) -> None:
    """Raises ValueError for an id that the network does not read."""
    outside = (ids < 0) | (ids > size)
    if outside.any():
        refuse_id(int(ids[outside][0]), size)


def check_length(state: bytes, size: int) -> None:
    """Raises ModelError unless a state has as many bytes as those of this network."""
    if not isinstance(state, bytes):
        raise TypeError(f"state: expected bytes, not {type(state).__name__}")
    if len(state) != size:
        raise ModelError(f"a state of this network has {size} bytes, not {len(state)}")


def check_known(known: ContextState, size: int) -> None:
    """Raises ModelError where no text leads to what the contexts of one state remember.

    They remember nothing from before a start symbol, which is the id `size`. Before the first id
    that was read, the history holds only zeros.
    """
    history = known.history[0].astype(np.int64)
    begun = np.isin(history[:-1], [0, size + 1])
    words = bool(known.word[0]) or bool(known.before[0])
    if (history > size + 1).any() or history[1:][begun].any() or (words and not history[0]):
        refuse_state()


def refuse_slot(slot: int, capacity: int) -> NoReturn:
    """Refuses a slot that the pool does not have."""
    raise ValueError(f"slot {slot} is not in the pool; its slots are 0 to {capacity - 1}")


def refuse_twice(slot: int) -> NoReturn:
    """Refuses a slot that one call names twice."""
    raise ValueError(f"slot {slot} is named twice; a state takes one step a call")


def refuse_id(number: int, size: int) -> NoReturn:
    """Refuses an id that the network does not read."""
    raise ValueError(f"id {number} is not in the vocabulary; the network reads 0 to {size}")


def refuse_cell(cell: str) -> NoReturn:
    """Refuses a kind of cell that the compiled library does not compute."""
    raise ValueError(f"cell: {cell!r} is none that the compiled backends compute")


def refuse_state() -> NoReturn:
    """Refuses a state that no text leads to."""
    raise ModelError("the state is damaged: it holds values that no text leads to")
