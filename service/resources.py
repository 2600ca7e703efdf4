"""What the routes of a process stand on: models, the sessions' store, the thread that computes."""

import asyncio
import time

from service.batching.scheduler import Scheduler
from service.completions import Completions
from service.errors import StartupError
from service.models import Models
from service.sessionless import Sessionless
from service.sessions.record_cache import RecordCache
from service.sessions.sealing import Plain, Seal, Sealed, keys_of
from service.settings import Settings
from service.stores import BatchedStore, Store, open_store, shown

# Without access keys, everybody is this one tenant.
TENANT = "default"
# Where a session was deleted through another worker, this one's copy is gone after this.
LONGEST_COPY_SECONDS = 600
SWEEP_SECONDS = 30
# How long one call to the store is waited for, trying again and all, and all calls of one request:
# this many times as long as the store may take to answer.
CALL_PATIENCE = 1.6
REQUEST_PATIENCE = 2.4


class Resources:
    """All of them, made from the settings."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError for a checkpoint or an address that cannot be used."""
        self.models = Models.load(settings.checkpoint, settings.backend)
        timeout = settings.store_timeout_seconds
        self.store = BatchedStore(
            store_of(settings),
            call_seconds=CALL_PATIENCE * timeout,
            request_seconds=REQUEST_PATIENCE * timeout,
        )
        self.scheduler = Scheduler(
            self.models.runtimes,
            batch_limit=settings.batch_limit,
            queue_limit=settings.queue_limit,
            kept_sessions=settings.kept_sessions,
            kept_page_bytes=settings.kept_pages_megabytes * 2**20,
            kept_seconds=LONGEST_COPY_SECONDS,
        )
        self.record_cache = RecordCache(
            settings.kept_sessions, min(settings.session_ttl_seconds, LONGEST_COPY_SECONDS)
        )
        self.completions = Completions(
            self.models,
            self.store,
            self.record_cache,
            seal_of(settings),
            self.scheduler,
            settings.max_prefix_characters,
        )
        self.sessionless = Sessionless(
            self.completions, self.models, most=max(1, settings.kept_sessions)
        )
        self.loaded = int(time.time())

    async def sweep(self) -> None:
        """Lets go, for as long as it runs, what a worker has kept of sessions for long enough."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.record_cache.expire()
            await self.scheduler.expire()

    async def close(self) -> None:
        """Ends the thread and gives back the store's connections."""
        await self.scheduler.stop()
        await self.store.close()


def store_of(settings: Settings) -> Store:
    """The store that the settings name; raises StartupError for an address that is none."""
    try:
        return open_store(
            settings.store,
            ttl_seconds=settings.session_ttl_seconds,
            max_sessions=settings.max_sessions,
            timeout_seconds=settings.store_timeout_seconds,
            connections=settings.store_connections,
        )
    except ValueError as error:
        raise StartupError(f"NEXTCHAR_STORE: {shown(settings.store)} is refused: {error}") from None


def seal_of(settings: Settings) -> Seal:
    """How the settings say that records are kept in the store."""
    key = settings.session_key
    return Plain() if key is None else Sealed(keys_of(key.get_secret_value()))
