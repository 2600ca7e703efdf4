"""A pool of states: sessions take slots of it, step together in them, and give them back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.errors import PoolFull
from model.runtime import border
from model.runtime.arithmetic import Floats, exponentials
from model.runtime.border import Ids, Slots
from model.runtime.network_output import NetworkOutput
from model.runtime.quantized import QuantizedNetwork

__all__ = ["Ids", "Pool", "Slots", "longest_first"]


class Pool(ABC):
    """States side by side in memory, each in a slot, advanced together one step at a time.

    The results for a slot depend only on the state in it: not on the other slots of the batch, on
    their order, or on the slot's number. One thread at a time may use a pool. A call raises
    ValueError or TypeError, and changes nothing, if it names a slot twice, a slot that the pool
    does not have, an id that the network does not read, or anything but integers.
    """

    def __init__(self, network: QuantizedNetwork, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: {capacity} is not above 0")
        self.network = network
        self.capacity = capacity
        self._free = list(range(capacity - 1, -1, -1))
        self._taken = bytearray(capacity)
        self._start: bytes | None = None

    def acquire(self) -> int:
        """Takes a free slot; its state is undefined until `start` or `write`. Raises PoolFull."""
        if not self._free:
            raise PoolFull(f"all {self.capacity} slots of the pool are taken")
        slot = self._free.pop()
        self._taken[slot] = True
        return slot

    def release(self, slot: int) -> None:
        """Gives a slot back. Raises ValueError if it is free already."""
        if not 0 <= slot < self.capacity or not self._taken[slot]:
            raise ValueError(f"slot {slot} is not taken")
        self._taken[slot] = False
        self._free.append(slot)

    def start(self, slot: int) -> None:
        """Puts the state of the empty text into a slot: zeros after reading `config.beginning`."""
        if self._start is None:
            self.clear(slot)
            for index in self.network.config.beginning:
                self.step([slot], [index])
            self._start = self.read(slot)
        self.write(slot, self._start)

    def absorb(self, slots: Slots, texts: Sequence[Ids]) -> None:
        """Advances each of some distinct slots by a whole text: ids, one after another."""
        order, begins, ids = longest_first(slots, texts)
        room = border.Integers(np.empty(self.capacity, np.int64))
        at = room.array[: room.place(slots, "slots")][order]
        border.check_slots(at, self.capacity)
        border.check_ids(ids, self.network.size)
        lengths = np.diff(begins)
        for number in range(int(lengths[0]) if len(lengths) else 0):
            count = int(np.count_nonzero(lengths > number))
            self.step(at[:count], ids[begins[:count] + number])

    def follow(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> tuple[Ids, Floats]:
        """A step, then `best` of the same slots: one step of greedy decoding."""
        self.step(slots, ids)
        return self.best(slots)

    def predict(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> Floats:
        """A step, then `probabilities` of the same slots."""
        self.step(slots, ids)
        return self.probabilities(slots)

    def best(self, slots: Slots) -> tuple[Ids, Floats]:
        """The most probable next id of each slot, ties to the lowest, and its probability."""
        logits = self.logits(slots)
        ids = logits.argmax(axis=1).astype(np.int32)
        _, sums = exponentials(logits)
        # The largest exponential is e⁰ = 1 exactly.
        return ids, np.float32(1) / sums[:, 0]

    def probabilities(self, slots: Slots) -> Floats:
        """The next-id distribution of each slot, shape (slots, vocabulary)."""
        e, sums = exponentials(self.logits(slots))
        e /= sums
        return e

    def network_output(self, slots: Slots) -> NetworkOutput:
        """`probabilities` and `hidden` of the same slots."""
        return NetworkOutput(self.probabilities(slots), self.hidden(slots))

    @abstractmethod
    def step(self, slots: Slots, ids: Sequence[int] | NDArray[np.integer]) -> None:
        """Advances the state in each of some distinct slots by its id, in place."""

    @abstractmethod
    def logits(self, slots: Slots) -> Floats:
        """The output layer of each slot's state, shape (slots, vocabulary)."""

    @abstractmethod
    def hidden(self, slots: Slots) -> NDArray[np.int8]:
        """The last layer's hidden state in each slot, shape (slots, units)."""

    @abstractmethod
    def clear(self, slot: int) -> None:
        """Puts the zero state into a slot."""

    @abstractmethod
    def read(self, slot: int) -> bytes:
        """The state in a slot as bytes: layer by layer the arrays of its kind of cell."""

    @abstractmethod
    def write(self, slot: int, state: bytes) -> None:
        """Puts a state that `read` returned into a slot.

        Raises ModelError for a state of another length, or with values that no text leads to.
        """


def longest_first(
    slots: Slots, texts: Sequence[Ids]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Orders texts by length, the longest first, and joins their ids.

    In this order the texts that still have ids to read at a step are always the first ones, so a
    batch only shrinks at its end. Returns the order, where each text begins in the joined ids (and
    where the last one ends), and the joined ids.
    """
    border.same_count(len(slots), len(texts), "texts")
    lengths = np.array([len(text) for text in texts], np.int64)
    order = np.argsort(-lengths, kind="stable")
    begins = np.concatenate([[0], np.cumsum(lengths[order])])
    ids = np.zeros(int(begins[-1]), np.int64)
    for number, begin in zip(order, begins, strict=False):
        border.Integers(ids[begin:]).place(texts[number], "ids")
    return order, begins, ids
