"""A pool of states: the slots that sessions take, step in together, and give back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError, PoolFull
from model.runtime.arithmetic import Floats, exponentials
from model.runtime.quantized import QuantizedNetwork

Ids = NDArray[np.int32]
Slots = Sequence[int] | NDArray[np.int32] | NDArray[np.int64]


class Pool(ABC):
    """States side by side in memory, each in a slot, advanced together one step at a time.

    What happens in a slot depends on that slot alone: not on the others of its batch, their order,
    or its own number. One thread at a time may use a pool.
    """

    def __init__(self, network: QuantizedNetwork, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: {capacity} is not above 0")
        self.network = network
        self.capacity = capacity
        self._free = list(range(capacity - 1, -1, -1))
        self._start: bytes | None = None

    def acquire(self) -> int:
        """Takes a free slot; its state is undefined until `start` or `write`. Raises PoolFull."""
        if not self._free:
            raise PoolFull(f"all {self.capacity} slots of the pool are taken")
        return self._free.pop()

    def release(self, slot: int) -> None:
        """Gives a slot back. Raises ValueError where it is free already."""
        if slot in self._free or not 0 <= slot < self.capacity:
            raise ValueError(f"slot {slot} is not taken")
        self._free.append(slot)

    def start(self, slot: int) -> None:
        """Puts the state of the empty text into a slot: zeros, then a step on the start symbol."""
        if self._start is None:
            self.clear(slot)
            self.step([slot], [self.network.size])
            self._start = self.read(slot)
        self.write(slot, self._start)

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

    @abstractmethod
    def step(self, slots: Slots, ids: Sequence[int] | Ids) -> None:
        """Advances the state in each of some distinct slots by its id, in place."""

    @abstractmethod
    def logits(self, slots: Slots) -> Floats:
        """The output layer of each slot's state, shape (slots, vocabulary)."""

    @abstractmethod
    def clear(self, slot: int) -> None:
        """Puts the zero state into a slot."""

    @abstractmethod
    def read(self, slot: int) -> bytes:
        """The state in a slot as bytes; layer by layer h, then in an LSTM c, little-endian."""

    @abstractmethod
    def write(self, slot: int, state: bytes) -> None:
        """Puts a state that was read before into a slot. Raises ModelError for a wrong length."""

    def _check(self, state: bytes) -> None:
        if len(state) != self.network.state_size:
            raise ModelError(
                f"a state of this network has {self.network.state_size} bytes, not {len(state)}"
            )
