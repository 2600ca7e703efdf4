"""Sessions in this process's memory: bounded in number, and gone when their time is over."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.stores.protocol import Found, Outcome, Read, StoreError, Write
from service.stores.tokens import token


@dataclass(frozen=True)
class _Entry:
    value: bytes
    expires: float


class MemoryStore:
    """The least recently written go first; every use of a session ends in a write.

    Entries stand in the order of their writes, so they also expire from the front.
    """

    def __init__(
        self,
        max_sessions: int,
        ttl_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        self._expire()
        return len(self._entries)

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        self._expire()
        entry = self._entries.get(key)
        return entry.value if entry else None

    def put(self, key: str, value: bytes) -> None:
        """Sets a value, whatever was held."""
        self._entries[key] = _Entry(value, self._clock() + self._ttl_seconds)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_sessions:
            self._entries.popitem(last=False)

    def part_of(self, key: str) -> str:
        """Memory has one part."""
        return ""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """What is held of each."""
        return [self._read(read) for read in reads]

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each, on its own; in the order given."""
        return [self._write(write) for write in writes]

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key."""
        self._entries.pop(key, None)

    async def ping(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Forgets everything."""
        self._entries.clear()

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

    def _expire(self) -> None:
        now = self._clock()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires > now:
                return
            del self._entries[key]
