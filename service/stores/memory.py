"""Sessions in the memory of this process, with a bounded number and a time to live."""

import time
from collections.abc import Callable, Sequence

from service.expiring import ExpiringMap
from service.stores.protocol import Found, Outcome, Read, StoreError, Write
from service.stores.tokens import token


class MemoryStore:
    """A store in memory. If there are too many sessions, the least recently written are dropped.

    These are the least recently used as well, because every use of a session ends in a write.
    """

    def __init__(
        self,
        max_sessions: int,
        ttl_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._values = ExpiringMap[str, bytes](max_sessions, ttl_seconds, clock)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Sets a value without comparing."""
        self._values.put(key, value)

    def part_of(self, key: str) -> str:
        """The store has only one part."""
        return ""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key."""
        return [self._read(read) for read in reads]

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value independently, in the given order."""
        return [self._write(write) for write in writes]

    async def delete(self, key: str) -> None:
        """Deletes the key."""
        self._values.pop(key)

    async def ping(self) -> None:
        """Memory always answers."""

    async def close(self) -> None:
        """Forgets everything."""
        self._values.clear()

    def _read(self, read: Read) -> Found:
        held = self.get(read.key)
        if read.known and token(held) == read.known:
            return Found(None, current=True)
        return Found(held)

    def _write(self, write: Write) -> Outcome:
        held = self.get(write.key)
        if token(held) not in (write.expected, token(write.value)):
            return Outcome(written=False, held=held)
        self.put(write.key, write.value)
        return Outcome(written=True)
