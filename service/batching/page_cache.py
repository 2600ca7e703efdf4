"""The page of each session, by which its suggestions are adapted to its text, between requests."""

import time
from collections import OrderedDict
from collections.abc import Callable

from model.adaptation import Page


class PageCache:
    """The pages of the sessions served last, so many bytes of them; the least recent go first.

    A page belongs to who takes it until it is put back. Each is under the session's key and the
    fingerprint of the model that reads by it; what it holds by then may be of any earlier text.
    """

    def __init__(
        self,
        most_bytes: int,
        seconds: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, int, Page]] = OrderedDict()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """The memory of all that are kept."""
        return self._bytes

    def take(self, session: str, fingerprint: str) -> Page | None:
        """The page, which is not kept here any longer, or None."""
        found = self._kept.pop((session, fingerprint), None)
        if found is None:
            return None
        self._bytes -= found[1]
        return found[2]

    def put(self, session: str, fingerprint: str, page: Page) -> None:
        """Keeps a page in the place of the one that is there."""
        self.take(session, fingerprint)
        size = page.nbytes
        self._kept[session, fingerprint] = (self._clock() + self._seconds, size, page)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self.take(*next(iter(self._kept)))

    def forget(self, session: str) -> None:
        """Leaves nothing of the session."""
        for key in [key for key in self._kept if key[0] == session]:
            self.take(*key)

    def expire(self) -> None:
        """Lets go what has been kept for long enough."""
        now = self._clock()
        while self._kept:
            key, (until, _, _) = next(iter(self._kept.items()))
            if until > now:
                return
            self.take(*key)
