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
    """Values for a bounded time, and no more of them than a total size allows.

    When there is too much, the least recently put goes first. Entries stand in the order in which
    they were put and all live equally long, so they also expire from the front.
    """

    def __init__(
        self,
        most: int,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
        size_of: Callable[[ValueT], int] = lambda value: 1,
    ) -> None:
        """`most` is the total of the values' sizes; without `size_of` it is their number."""
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._size_of = size_of
        self._entries: OrderedDict[KeyT, _Entry[ValueT]] = OrderedDict()
        self.total = 0
        """The sizes of all that is held, as they were when it was put."""

    def __len__(self) -> int:
        self.expire()
        return len(self._entries)

    def get(self, key: KeyT) -> ValueT | None:
        """The value of a key, or None."""
        self.expire()
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Holds a value in place of the key's earlier one."""
        self.pop(key)
        size = self._size_of(value)
        self._entries[key] = _Entry(value, size, self._clock() + self._seconds)
        self.total += size
        while self.total > self._most:
            self.pop(next(iter(self._entries)))

    def pop(self, key: KeyT) -> ValueT | None:
        """The value of a key, which is held no longer, or None."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.total -= entry.size
        return entry.value

    def keys(self) -> tuple[KeyT, ...]:
        """All keys, the least recently put first."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self.total = 0

    def expire(self) -> None:
        """Lets go what has been held for long enough."""
        now = self._clock()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires > now:
                return
            self.pop(key)
