"""Keeps the pages of sessions between requests; a page adapts suggestions to a session's text."""

import threading
import time
from collections.abc import Callable

from model.adaptation import Page
from service.expiring import ExpiringMap


class PageCache:
    """The pages of the sessions that were served last, up to a total of `most_bytes`.

    The least recently used are dropped first. A page belongs to the sequence that takes it, until
    it is put back. Its key is the session and the fingerprint of its model. The text on it may be
    any earlier text of the session. Any thread may use the cache.
    """

    def __init__(
        self,
        most_bytes: int,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pages: ExpiringMap[tuple[str, str], Page] = ExpiringMap(
            most_bytes, seconds, clock, size_of=lambda page: page.nbytes
        )
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The memory of all kept pages, in bytes."""
        return self._pages.total

    def take(self, session: str, fingerprint: str) -> Page | None:
        """Removes the page from the cache and returns it, or None if there is none."""
        with self._lock:
            return self._pages.pop((session, fingerprint))

    def put(self, session: str, fingerprint: str, page: Page) -> None:
        """Keeps a page; it replaces the one under the same key."""
        with self._lock:
            self._pages.put((session, fingerprint), page)

    def forget(self, session: str) -> None:
        """Leaves nothing of the session."""
        with self._lock:
            for key in self._pages.keys():  # noqa: SIM118
                if key[0] == session:
                    self._pages.pop(key)

    def expire(self) -> None:
        """Drops the pages that have expired."""
        with self._lock:
            self._pages.expire()
