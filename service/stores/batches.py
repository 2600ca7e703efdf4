"""Gathers the store calls of many requests: calls that wait at the same time are sent together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.stores.protocol import Found, Outcome, Read, Store, StoreError, Write

Item = TypeVar("Item")
Result = TypeVar("Result")


# A wait is cut into so many slices, so that the store is not blamed for a late event loop.
SLICES = 8


class _TimedOut(StoreError):
    """A call had no result in the time that its caller waits."""


@dataclass(frozen=True)
class _PendingCall(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]


class Batches(Generic[Item, Result]):
    """Calls of one kind. While one batch is under way, further calls gather for the next one.

    Each batch runs in a task of this class. A request that is cancelled only stops waiting, and its
    call goes on. So no reply is left on a connection, where the next caller would read it.
    """

    def __init__(
        self, call: Callable[[Sequence[Item]], Awaitable[list[Result | StoreError]]]
    ) -> None:
        self._call = call
        self._waiting: list[_PendingCall[Item, Result]] = []
        self._under_way: list[_PendingCall[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None

    async def call(self, item: Item, budget: "TimeBudget", most_seconds: float) -> Result:
        """The result for one item; raises StoreError, also if there is no result in time."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        # Reading the exception here keeps asyncio from reporting it if nobody waits any more.
        future.add_done_callback(asyncio.Future.exception)
        self._waiting.append(_PendingCall(item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        # Unlike wait_for, this never cancels the future, whose batch goes on in any case.
        if not await budget.wait(future, most_seconds):
            raise _TimedOut("the store did not answer in time")
        return future.result()

    async def settled(self) -> None:
        """Returns when all calls made so far have results, even those that nobody waits for."""
        futures = [pending.future for pending in (*self._under_way, *self._waiting)]
        if futures:
            await asyncio.wait(futures)

    async def _run(self) -> None:
        while self._waiting:
            self._under_way, self._waiting = self._waiting, []
            await self._settle(self._under_way)
            self._under_way = []
        self._task = None

    async def _settle(self, batch: Sequence["_PendingCall[Item, Result]"]) -> None:
        try:
            results = await self._call([pending.item for pending in batch])
        except Exception as error:
            for pending in batch:
                pending.future.set_exception(error)
        else:
            for pending, result in zip(batch, results, strict=True):
                if isinstance(result, StoreError):
                    pending.future.set_exception(result)
                else:
                    pending.future.set_result(result)


class TimeBudget:
    """The seconds that one request may still wait for the store; each of its calls takes some.

    They are the store's seconds. Where the event loop is busy, an answer lies in the socket long
    before it is read, and a timer that ends late says nothing of the store. So a wait is cut into
    slices, and a slice counts as no more than it was meant to take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds_left = seconds

    async def wait(self, future: "asyncio.Future[Any]", most_seconds: float) -> bool:
        """Waits for a future, at most so long or as long as is left; returns whether it is done."""
        each = max(0, min(most_seconds, self.seconds_left)) / SLICES
        loop = asyncio.get_running_loop()
        for _ in range(SLICES):
            begun = loop.time()
            await asyncio.wait({future}, timeout=each)
            self.seconds_left -= min(each, loop.time() - begun)
            if future.done():
                return True
        return False


class _Part:
    """The calls to one part of a store; after a failure none are made until `paused_until`."""

    def __init__(self, store: Store, pause: Callable[["_Part"], None]) -> None:
        self.reads: Batches[Read, Found] = Batches(lambda r: self.guard(store.read_many(r)))
        self.writes: Batches[Write, Outcome] = Batches(lambda w: self.guard(store.write_many(w)))
        self.paused_until = float("-inf")
        self._pause = pause

    async def guard(self, call: Coroutine[None, None, Result]) -> Result:
        """The call's result; a StoreError pauses the part."""
        try:
            return await call
        except StoreError:
            self._pause(self)
            raise


class BatchedStore:
    """A store as the requests of one worker use it: in batches, and with pauses after failures.

    After a failure no call is made for `pause_seconds`. So not every keystroke waits for a timeout
    while Redis is down, and the first call after a pause finds out whether it is back. A request
    waits at most `call_seconds` for one call, and `request_seconds` for all its calls together, no
    matter how often the Redis client connects and retries. Each part of the store has its own
    batches and pauses, so nobody waits for a part that holds none of their sessions.
    """

    def __init__(
        self,
        store: Store,
        pause_seconds: float = 0.5,
        call_seconds: float = 0.4,
        request_seconds: float = 0.6,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._pause_seconds = pause_seconds
        self._call_seconds = call_seconds
        self._request_seconds = request_seconds
        self._clock = clock
        self._parts: dict[str, _Part] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def time_budget(self) -> TimeBudget:
        """How long a request that begins now may wait for the store."""
        return TimeBudget(self._request_seconds)

    def answers(self, key: str) -> bool:
        """Whether the part of the store that holds a key has not failed a moment ago."""
        return self._clock() >= self._part(key).paused_until

    async def read(self, read: Read, budget: TimeBudget | None = None) -> Found:
        """The value of a key; raises StoreError."""
        part = self._part(read.key)
        return await self._call(part, part.reads, read, budget or self.time_budget())

    async def write(self, write: Write, budget: TimeBudget | None = None) -> Outcome:
        """Compares and sets one value; raises StoreError."""
        part = self._part(write.key)
        return await self._call(part, part.writes, write, budget or self.time_budget())

    async def delete(self, key: str) -> None:
        """Deletes the key, after earlier writes have ended, because they could bring it back."""
        part = self._part(key)

        async def after_the_writes() -> None:
            await part.writes.settled()
            await part.guard(self._store.delete(key))

        await self._in_time(after_the_writes())

    async def ping(self) -> None:
        """Asks the store even during a pause; an answer ends all pauses."""
        await self._in_time(self._store.ping())
        for part in self._parts.values():
            part.paused_until = float("-inf")

    async def close(self) -> None:
        """Waits for the calls that are under way, then closes the store."""
        for part in self._parts.values():
            await part.reads.settled()
            await part.writes.settled()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    def _part(self, key: str) -> _Part:
        name = self._store.part_of(key)
        if name not in self._parts:
            self._parts[name] = _Part(self._store, self._pause)
        return self._parts[name]

    async def _call(
        self, part: _Part, batches: Batches[Item, Result], item: Item, budget: TimeBudget
    ) -> Result:
        if self._clock() < part.paused_until:
            raise StoreError("the store did not answer a moment ago")
        try:
            return await batches.call(item, budget, self._call_seconds)
        except _TimedOut:
            # `guard` pauses the part after an error of the store. A call that takes too long has
            # raised none yet, so the part is paused here.
            self._pause(part)
            raise

    async def _in_time(self, call: Coroutine[None, None, None]) -> None:
        """Waits for a call, at most `request_seconds`; after that the call goes on by itself."""
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if not await self.time_budget().wait(task, self._request_seconds):
            raise _TimedOut("the store did not answer in time")
        task.result()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # Reading the exception keeps asyncio from reporting it if nobody waits any more.
        if not task.cancelled():
            task.exception()

    def _pause(self, part: _Part) -> None:
        part.paused_until = self._clock() + self._pause_seconds
