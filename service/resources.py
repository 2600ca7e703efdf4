"""The objects that the routes of one worker use: models, sessions, and the scheduler's thread."""

import asyncio
import time

from service.batching.scheduler import Scheduler
from service.batching.scoring_thread import ScoringThread
from service.completions import Completions
from service.errors import StartupError
from service.models import Models
from service.sessionless import Sessionless
from service.sessions.sealing import Plain, Seal, Sealed, keys_of
from service.sessions.storage import SessionStorage
from service.settings import Settings
from service.stores import BatchedStore, Store, open_store, shown

# Every client belongs to this tenant, because the service has no access keys yet.
TENANT = "default"
# How long a worker keeps the record, the continuation and the page of a session that is not used.
# A session that was deleted through another worker is gone from this one after this time.
KEPT_SECONDS = 600
# How often a worker drops entries that have been kept longer than KEPT_SECONDS.
SWEEP_SECONDS = 30
# How long a request waits for one call to the store, retries included, and for all its calls
# together. Both are multiples of the store's own timeout.
CALL_TIMEOUTS = 1.6
REQUEST_TIMEOUTS = 2.4


class Resources:
    """The models, stores, scheduler and services of one worker, made from the settings."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError for a checkpoint or a store's address that cannot be used."""
        self.models = Models.load(settings.checkpoint, settings.backend)
        timeout = settings.store_timeout_seconds
        self.store = BatchedStore(
            store_of(settings),
            call_seconds=CALL_TIMEOUTS * timeout,
            request_seconds=REQUEST_TIMEOUTS * timeout,
        )
        self.storage = SessionStorage(
            self.store,
            seal_of(settings),
            most=settings.kept_sessions,
            seconds=min(settings.session_ttl_seconds, KEPT_SECONDS),
        )
        self.scheduler = Scheduler(
            self.models.runtimes,
            batch_limit=settings.batch_limit,
            queue_limit=settings.queue_limit,
            kept_sessions=settings.kept_sessions,
            kept_page_bytes=settings.kept_pages_megabytes * 2**20,
            kept_seconds=KEPT_SECONDS,
        )
        self.scoring = ScoringThread(settings.queue_limit)
        self.completions = Completions(
            self.models, self.storage, self.scheduler, settings.max_prefix_characters
        )
        self.sessionless = Sessionless(
            self.completions, self.models, most=max(1, settings.kept_sessions)
        )
        # When the models were loaded, in seconds of Unix time.
        self.loaded = int(time.time())

    async def sweep(self) -> None:
        """Drops expired entries every SWEEP_SECONDS until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.storage.expire()
            await self.scheduler.expire()

    async def close(self) -> None:
        """Ends the threads and closes the store's connections."""
        await self.scheduler.stop()
        await self.scoring.stop()
        await self.store.close()


def store_of(settings: Settings) -> Store:
    """The store that the settings name; raises StartupError if no backend takes its address."""
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
    """The seal of records in the store: Sealed if the settings have a session key, else Plain."""
    key = settings.session_key
    return Plain() if key is None else Sealed(keys_of(key.get_secret_value()))
