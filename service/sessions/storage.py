"""How one worker reads and writes sessions: sealed in the store, with own copies of records."""

import logging
from dataclasses import dataclass

from service.errors import StoreUnavailable
from service.expiring import ExpiringMap
from service.sessions.record import Record, as_stored, decode, encode
from service.sessions.sealing import Seal
from service.stores import BatchedStore, Read, StoreError, TimeBudget, Write, token

log = logging.getLogger(__name__)


# A worker that was the only writer of a session so many times in a row takes it that it still is.
TIMES_ALONE = 3


@dataclass(frozen=True)
class HeldSession:
    """What is known of a session, and the token of the stored value that a write will replace.

    `stored` is false if the store did not answer. The record is then the one that this worker kept.
    It also is if the store was not asked, which `assumed` says: then only the write will show
    whether the record is current. `times_alone` is how many requests in a row have found here what
    this worker wrote.
    """

    record: Record | None
    token: bytes
    stored: bool
    assumed: bool = False
    times_alone: int = 0


@dataclass(frozen=True)
class WriteOutcome:
    """Whether the store took a record; if another writer was first, `conflict` is what it holds."""

    stored: bool
    conflict: HeldSession | None = None


@dataclass
class _KeptRecord:
    """A record as this worker wrote it; it is current while the store holds the same token."""

    token: bytes
    record: Record
    times_alone: int


class SessionStorage:
    """The sessions as one worker sees them.

    The worker keeps the records that it wrote last. While the store holds the token of a kept
    record, the store does not send the record again. Where a worker has been alone with a session,
    which is so for a client that keeps its connection, the store is not asked at all: the write
    compares the token in any case. If the store does not answer, a kept record may be out of date,
    so only a request that gives its whole text may use it.
    """

    def __init__(self, store: BatchedStore, seal: Seal, most: int, seconds: float) -> None:
        """At most `most` records are kept here, each for `seconds` after it was written."""
        self._store = store
        self._seal = seal
        self._kept = ExpiringMap[str, _KeptRecord](most, seconds)
        # How many stored values could not be read so far.
        self.unreadable = 0

    def time_budget(self) -> TimeBudget:
        """How long one request that begins now may wait for the store."""
        return self._store.time_budget()

    async def read(self, key: str, budget: TimeBudget, assume: bool = True) -> HeldSession:
        """What the store holds of a session, or what this worker kept if the store is away.

        With `assume` the store need not be asked where this worker is likely to be alone.
        """
        kept = self._kept.get(key)
        if kept and assume and kept.times_alone >= TIMES_ALONE and self._store.answers(key):
            return HeldSession(kept.record, kept.token, True, True, kept.times_alone)
        try:
            found = await self._store.read(Read(key, kept.token if kept else b""), budget)
        except StoreError:
            return HeldSession(kept.record if kept else None, b"", stored=False)
        if found.current and kept:
            return HeldSession(kept.record, kept.token, True, times_alone=kept.times_alone + 1)
        self._kept.pop(key)
        return self._opened(key, found.value)

    async def write(
        self, key: str, held: HeldSession, record: Record, budget: TimeBudget
    ) -> WriteOutcome:
        """Writes a record in place of what was read, unless another writer was first.

        If the session was not read from the store, it is not written to the store either, because
        another worker may have written it in the meantime.
        """
        value = self._seal.close(key, encode(as_stored(record)))
        kept = _KeptRecord(token(value), record, 0)
        self._kept.put(key, kept)
        if not held.stored:
            return WriteOutcome(stored=False)
        try:
            outcome = await self._store.write(Write(key, held.token, value), budget)
        except StoreError:
            return WriteOutcome(stored=False)
        if outcome.written:
            if self._kept.get(key) is kept:
                kept.times_alone = held.times_alone
            return WriteOutcome(stored=True)
        return WriteOutcome(stored=False, conflict=self._opened(key, outcome.held))

    async def delete(self, key: str) -> None:
        """Deletes a session; raises StoreUnavailable if the store does not answer."""
        self._kept.pop(key)
        try:
            await self._store.delete(key)
        except StoreError as error:
            raise StoreUnavailable(
                "the sessions' store does not answer, so the session may still be in it"
            ) from error

    def expire(self) -> None:
        """Drops the kept records that have expired."""
        self._kept.expire()

    def _opened(self, key: str, value: bytes | None) -> HeldSession:
        """The session in a stored value; a damaged, foreign or moved value counts as absent."""
        opened = self._seal.open(key, value) if value else None
        record = decode(opened) if opened else None
        if value and record is None:
            self.unreadable += 1
            log.warning(
                "a session in the store cannot be read and counts as absent; so far: %d",
                self.unreadable,
            )
        return HeldSession(record, token(value), stored=True)
