"""The threads that compute for all requests of a process, so that the event loop never blocks."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from model.decoding.continuation import ChosenSteps, Continuation
from model.driving.drive import drives
from model.served import Runtime
from service.batching.batch import Batch, PendingJob
from service.batching.driver import Driver
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job
from service.errors import ComputationFailed, Overloaded, log_fault
from service.expiring import ExpiringMap

log = logging.getLogger(__name__)


class Scheduler:
    """Computes jobs: most of them by the drive, the others step by step from Python.

    The drive takes single suggestions, whose rules are simple. Beams, draws and what runs without C
    go to a thread that drives every model's batch; they join and leave between any two steps. The
    event loop and that thread share only three things: a queue of calls that the thread makes, the
    flag `abandoned` of each request, and the cache of pages.
    """

    def __init__(
        self,
        runtimes: Iterable[Runtime],
        *,
        batch_limit: int,
        queue_limit: int,
        kept_sessions: int,
        kept_page_bytes: int,
        kept_seconds: float = float("inf"),
    ) -> None:
        self._continuations: ExpiringMap[str, Continuation[ChosenSteps]] = ExpiringMap(
            kept_sessions, kept_seconds
        )
        self._page_cache = PageCache(kept_page_bytes, kept_seconds)
        kept = self._continuations, self._page_cache
        runtimes = tuple(runtimes)
        self._batches = {runtime: Batch(runtime, batch_limit, *kept) for runtime in runtimes}
        self._driver: Driver | None = None
        if any(map(drives, runtimes)):
            self._driver = Driver(
                runtimes, batch_limit, kept_sessions, kept_seconds, self._page_cache
            )
        self._queue_limit = queue_limit
        self._unfinished = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the threads run."""
        return self._thread.is_alive() and (self._driver is None or self._driver.alive)

    @property
    def taken(self) -> int:
        """How many slots and places are taken by jobs that are being computed."""
        driven = 0 if self._driver is None else self._driver.taken
        return driven + sum(batch.taken for batch in self._batches.values())

    def start(self) -> None:
        """Starts the threads."""
        self._thread.start()
        if self._driver is not None:
            self._driver.start()

    async def stop(self) -> None:
        """Ends the threads after their current step; requests that are not done are refused."""
        self._stopping = True
        self._wake.set()
        if self._driver is not None:
            await self._driver.stop()
        await asyncio.to_thread(self._thread.join)

    async def compute(self, job: Job) -> Computed:
        """The job's result. If the caller is cancelled, the computation stops at the next step.

        Raises Overloaded if the queue is full or the thread stops, TextError for a character that
        the model cannot spell, and ComputationFailed if the computation fails otherwise.
        """
        if self._unfinished >= self._queue_limit:
            raise Overloaded(f"{self._queue_limit} requests are waiting already; try again later")
        self._unfinished += 1
        try:
            if self._driver is not None and self._driver.drives(job):
                return await self._driver.compute(job)
            return await self._compute_in_batch(job)
        finally:
            self._unfinished -= 1

    async def _compute_in_batch(self, job: Job) -> Computed:
        future: asyncio.Future[Computed] = asyncio.get_running_loop().create_future()
        request = PendingJob(job, _handing_to(future))
        self._call(lambda: self._batches[job.runtime].add(request))
        try:
            return await future
        finally:
            request.abandoned = True

    async def forget(self, session: str) -> None:
        """Drops what is kept of a session; requests of it that still run will keep nothing."""

        def forget() -> None:
            for batch in self._batches.values():
                batch.forget(session)
            self._continuations.pop(session)
            self._page_cache.forget(session)

        if self._driver is not None:
            self._driver.forget(session)
        await self._call_and_wait(forget)

    async def expire(self) -> None:
        """Drops the continuations and pages that have expired."""

        def expire() -> None:
            self._continuations.expire()
            self._page_cache.expire()

        if self._driver is not None:
            self._driver.expire()
        await self._call_and_wait(expire)

    async def _call_and_wait(self, call: Callable[[], None]) -> None:
        """Returns once the thread has made the call."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        hand = _handing_to(future)

        def make() -> None:
            call()
            hand(None)

        self._call(make)
        await future

    def _call(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            if not any(batch.busy for batch in self._batches.values()):
                self._wake.wait()
            # Cleared before the calls are made, so that a call added after them wakes the thread.
            self._wake.clear()
            self._make_calls()
            for batch in self._batches.values():
                try:
                    batch.advance()
                except Exception as error:
                    log_fault(log, error)
                    batch.fail_all(ComputationFailed("the computing of this batch failed"))
        self._make_calls()
        for batch in self._batches.values():
            batch.fail_all(Overloaded("the service is stopping; try again"))

    def _make_calls(self) -> None:
        while self._calls:
            self._calls.popleft()()


def _handing_to(future: "asyncio.Future[Any]") -> Callable[[Any], None]:
    """A function that the thread calls to give the future a result or an exception."""
    loop = future.get_loop()

    def resolve(result: Any) -> None:
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def hand(result: Any) -> None:
        # If the loop is closed, nobody waits for the result any more.
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, result)

    return hand
