"""A worker's own copies of the sessions that it served last: never trusted without the store."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.sessions.rules import Record


@dataclass(frozen=True)
class CachedRecord:
    """A record as it was written, and the token that the store holds while it is current."""

    token: bytes
    record: Record


class RecordCache:
    """The copies of the latest sessions, each for a bounded time; the least recent go first."""

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, CachedRecord]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> CachedRecord | None:
        """The copy of a session, if there is one."""
        self.expire()
        kept = self._kept.get(key)
        return kept[1] if kept else None

    def put(self, key: str, copy: CachedRecord) -> None:
        """Keeps a copy in place of the session's earlier one."""
        self._kept[key] = (self._clock() + self._seconds, copy)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: str) -> None:
        """Leaves nothing of the session."""
        self._kept.pop(key, None)

    def expire(self) -> None:
        """Lets go what has been kept for long enough."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)
