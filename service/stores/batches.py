"""Gathers the store calls of many requests: all that wait at a tick go to the store together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.stores.protocol import Found, Outcome, Read, Store, StoreError, Write

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Late(StoreError):
    """Nothing was heard of a call for longer than its caller waits."""


@dataclass(frozen=True)
class _Asked(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]


class Batches(Generic[Item, Result]):
    """One kind of call. While one batch is on its way, the next gathers.

    A batch runs in a task of its own: a request that is cancelled gives up waiting and nothing
    else, so no reply is ever left on a connection for the next caller to read.
    """

    def __init__(
        self, call: Callable[[Sequence[Item]], Awaitable[list[Result | StoreError]]]
    ) -> None:
        self._call = call
        self._waiting: list[_Asked[Item, Result]] = []
        self._flying: list[_Asked[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: Item, patience_seconds: float) -> Result:
        """The result for one item; raises StoreError, also where there is none in time."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        future.add_done_callback(asyncio.Future.exception)
        self._waiting.append(_Asked(item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        # What nobody waits for any more still arrives, so that no connection is left in its middle.
        await asyncio.wait({future}, timeout=patience_seconds)
        if not future.done():
            raise _Late("the store did not answer in time")
        return future.result()

    async def settled(self) -> None:
        """Returns when all that was asked so far has its result, also what nobody waits for."""
        asked = [asked.future for asked in (*self._flying, *self._waiting)]
        if asked:
            await asyncio.wait(asked)

    async def _run(self) -> None:
        while self._waiting:
            self._flying, self._waiting = self._waiting, []
            await self._settle(self._flying)
            self._flying = []
        self._task = None

    async def _settle(self, batch: Sequence["_Asked[Item, Result]"]) -> None:
        try:
            results = await self._call([asked.item for asked in batch])
        except Exception as error:
            for asked in batch:
                asked.future.set_exception(error)
        else:
            for asked, result in zip(batch, results, strict=True):
                if isinstance(result, StoreError):
                    asked.future.set_exception(result)
                else:
                    asked.future.set_result(result)


class Patience:
    """How many seconds one request still waits for the store; what its calls wait is taken off."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds


class _Part:
    """One part of a store: the calls to it, and until when it is left alone."""

    def __init__(self, store: Store, leave_alone: Callable[["_Part"], None]) -> None:
        self.reads: Batches[Read, Found] = Batches(lambda r: self.guard(store.read_many(r)))
        self.writes: Batches[Write, Outcome] = Batches(lambda w: self.guard(store.write_many(w)))
        self.away_until = float("-inf")
        self._leave_alone = leave_alone

    async def guard(self, call: Coroutine[None, None, Result]) -> Result:
        """The call's result; a part that fails is left alone."""
        try:
            return await call
        except StoreError:
            self._leave_alone(self)
            raise


class BatchedStore:
    """A store as the requests of one worker use it: batched, and left alone while it is away.

    After a failure nothing is tried for `pause_seconds`, so that a keystroke does not wait for a
    timeout of its own while Redis is away, and service comes back by itself. A call is waited for
    `call_seconds` at most, and all calls of one request `request_seconds`, however often a client
    connects, waits and tries again meanwhile. Every part of the store has its own batches and
    fails alone, so that nobody waits for one that holds none of his sessions.
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

    def patience(self) -> Patience:
        """That of a request which begins."""
        return Patience(self._request_seconds)

    async def read(self, read: Read, patience: Patience | None = None) -> Found:
        """What is held of a key."""
        part = self._part(read.key)
        return await self._ask(part, part.reads, read, patience or self.patience())

    async def write(self, write: Write, patience: Patience | None = None) -> Outcome:
        """Compares and sets one value."""
        part = self._part(write.key)
        return await self._ask(part, part.writes, write, patience or self.patience())

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key; no write that was on its way can bring it back."""
        part = self._part(key)

        async def after_the_writes() -> None:
            await part.writes.settled()
            await part.guard(self._store.delete(key))

        await self._in_time(after_the_writes())

    async def ping(self) -> None:
        """Asks the store itself, also while it counts as away; an answer ends that."""
        await self._in_time(self._store.ping())
        for part in self._parts.values():
            part.away_until = float("-inf")

    async def close(self) -> None:
        """Lets what is on its way arrive, then closes the store."""
        for part in self._parts.values():
            await part.reads.settled()
            await part.writes.settled()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    def _part(self, key: str) -> _Part:
        name = self._store.part_of(key)
        if name not in self._parts:
            self._parts[name] = _Part(self._store, self._leave_alone)
        return self._parts[name]

    async def _ask(
        self, part: _Part, batches: Batches[Item, Result], item: Item, patience: Patience
    ) -> Result:
        begun = self._clock()
        if begun < part.away_until:
            raise StoreError("the store did not answer a moment ago")
        try:
            return await batches.ask(item, max(0, min(self._call_seconds, patience.left)))
        except _Late:
            self._leave_alone(part)
            raise
        finally:
            patience.left -= self._clock() - begun

    async def _in_time(self, call: Coroutine[None, None, None]) -> None:
        """Waits for a call as long as a request does; it goes on also where nobody waits for it."""
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=self._request_seconds)
        if not task.done():
            raise _Late("the store did not answer in time")
        task.result()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def _leave_alone(self, part: _Part) -> None:
        part.away_until = self._clock() + self._pause_seconds
