"""A bounded map whose entries expire: what a worker keeps of sessions between their requests."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class _Entry(Generic[ValueT]):
    value: ValueT
    size: int
    expires: float


class ExpiringMap(Generic[KeyT, ValueT]):
    """Values that live for a bounded time, and whose sizes have a bounded total.

    When the total is exceeded, the entries that were put first are dropped first. All entries live
    equally long and are held in the order in which they were put, so the first one expires first.
    """

    def __init__(
        self,
        most: int,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
        size_of: Callable[[ValueT], int] = lambda value: 1,
    ) -> None:
        """`most` bounds the sum of the sizes; without `size_of` that is the number of values."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._size_of = size_of
        self._entries: OrderedDict[KeyT, _Entry[ValueT]] = OrderedDict()
        # The sum of all sizes. Each size was measured when its value was put; the value may have
        # grown since.
        self.total = 0

    def __len__(self) -> int:
        self.expire()
        return len(self._entries)

    def get(self, key: KeyT) -> ValueT | None:
        """The value of a key, or None."""
        self.expire()
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Sets the value of a key, and drops entries until the bound holds again."""
        self.pop(key)
        size = self._size_of(value)
        self._entries[key] = _Entry(value, size, self._clock() + self._seconds)
        self.total += size
        while self.total > self._most:
            self.pop(next(iter(self._entries)))

    def pop(self, key: KeyT) -> ValueT | None:
        """Removes a key and returns its value, or None."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.total -= entry.size
        return entry.value

    def keys(self) -> tuple[KeyT, ...]:
        """All keys, in the order in which their values were put."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Removes everything."""
        self._entries.clear()
        self.total = 0

    def expire(self) -> None:
        """Removes the entries that have expired."""
        now = self._clock()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires > now:
                return
            self.pop(key)
