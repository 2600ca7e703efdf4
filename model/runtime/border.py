"""What a pool refuses at its border, before anything is computed: each a clear exception."""

from collections.abc import Sequence
from operator import index
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.network.contexts import ContextState

Ids = NDArray[np.int32]
Slots = Sequence[int] | NDArray[np.int32] | NDArray[np.int64]

# No cell state leaves this range: a step adds less than 1.001, which float32 loses above 2²⁴.
LARGEST_STATE = np.float32(2**25)

FEW = 8
# The characters of int32 and int64 as numpy has them.
EXACT = "ilq"


class Integers:
    """Room for some integers, which callers give in many forms."""

    def __init__(self, array: NDArray[np.int64]) -> None:
        self.array = array
        self._view = array.data

    def place(self, values: Sequence[int] | NDArray[np.integer], name: str) -> int:
        """Copies integers to the front and returns how many they are.

        Raises TypeError for what are no integers, ValueError for another shape or for too many.
        """
        count = len(values)
        if count > len(self._view):
            raise ValueError(f"{name}: {count} of them, but the pool holds {len(self._view)}")
        if not count:
            return 0
        # What numpy does for any kind of values takes over a microsecond.
        if type(values) is np.ndarray:
            if values.dtype.char in EXACT and values.ndim == 1:
                self.array[:count] = values
                return count
        elif count <= FEW:
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
    """Raises ValueError where there is not one of `others` for each slot."""
    if slots != others:
        raise ValueError(f"{name}: {others} of them for {slots} slots")


def check_slot(slot: int, capacity: int) -> int:
    """The slot; raises ValueError where the pool has none of that number."""
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
    """Raises ModelError where a state's bytes are not as many as this network's have."""
    if not isinstance(state, bytes):
        raise TypeError(f"state: expected bytes, not {type(state).__name__}")
    if len(state) != size:
        raise ModelError(f"a state of this network has {size} bytes, not {len(state)}")


def check_known(known: ContextState, size: int) -> None:
    """Raises ModelError where no text leads to what one state's contexts know of it.

    Nothing is remembered from before a start symbol, which is the id `size`, or from before it all.
    """
    history = known.history[0].astype(np.int64)
    begun = np.isin(history[:-1], [0, size + 1])
    words = bool(known.word[0]) or bool(known.before[0])
    if (history > size + 1).any() or history[1:][begun].any() or (words and not history[0]):
        refuse_state()


def refuse_slot(slot: int, capacity: int) -> NoReturn:
    """A slot that is not there."""
    raise ValueError(f"slot {slot} is not in the pool; its slots are 0 to {capacity - 1}")


def refuse_twice(slot: int) -> NoReturn:
    """A slot that one call names twice."""
    raise ValueError(f"slot {slot} is named twice; a state takes one step a call")


def refuse_id(number: int, size: int) -> NoReturn:
    """An id that the network does not read."""
    raise ValueError(f"id {number} is not in the vocabulary; the network reads 0 to {size}")


def refuse_cell(cell: str) -> NoReturn:
    """A kind of cell that the compiled library does not compute."""
    raise ValueError(f"cell: {cell!r} is none that the compiled backends compute")


def refuse_state() -> NoReturn:
    """A state that no text leads to."""
    raise ModelError("the state is damaged: it holds values that no text leads to")
