"""The page of each session, by which its suggestions are adapted to its text, between requests."""

import time
from collections.abc import Callable

from model.adaptation import Page
from service.expiring import ExpiringMap


class PageCache:
    """The pages of the sessions served last, up to a number of bytes; the least recent go first.

    A page belongs to whoever takes it, until it is put back. Its key is the session and the
    fingerprint of the model that reads by it. Its text may be any earlier one of the session.
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

    @property
    def nbytes(self) -> int:
        """The memory of all pages that are kept."""
        return self._pages.total

    def take(self, session: str, fingerprint: str) -> Page | None:
        """The page, which is not kept here any longer, or None."""
        return self._pages.pop((session, fingerprint))

    def put(self, session: str, fingerprint: str, page: Page) -> None:
        """Keeps a page in place of the one that is kept under the same key."""
        self._pages.put((session, fingerprint), page)

    def forget(self, session: str) -> None:
        """Leaves nothing of the session."""
        keys = self._pages.keys()
        for key in keys:
            if key[0] == session:
                self._pages.pop(key)

    def expire(self) -> None:
        """Lets go of what has been kept for long enough."""
        self._pages.expire()
