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


class BatchedStore:
    """A store as the requests of one worker use it: batched, and left alone while it is away.

    After a failure nothing is tried for `pause_seconds`, so that a keystroke does not wait for a
    timeout of its own while Redis is away, and service comes back by itself. A request waits for
    `patience_seconds` at most, however often a client connects, waits and tries again meanwhile.
    """

    def __init__(
        self,
        store: Store,
        pause_seconds: float = 0.5,
        patience_seconds: float = 0.4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._pause_seconds = pause_seconds
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._away_until = float("-inf")
        self._reads: Batches[Read, Found] = Batches(
            lambda reads: self._guard(store.read_many(reads))
        )
        self._writes: Batches[Write, Outcome] = Batches(
            lambda writes: self._guard(store.write_many(writes))
        )

    async def read(self, read: Read) -> Found:
        """What is held of a key."""
        return await self._ask(self._reads, read)

    async def write(self, write: Write) -> Outcome:
        """Compares and sets one value."""
        return await self._ask(self._writes, write)

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key; no write that was on its way can bring it back."""
        await self._writes.settled()
        await asyncio.shield(asyncio.create_task(self._guard(self._store.delete(key))))

    async def ping(self) -> None:
        """Asks the store itself, also while it counts as away; an answer ends that."""
        await asyncio.shield(asyncio.create_task(self._guard(self._store.ping())))
        self._away_until = float("-inf")

    async def close(self) -> None:
        """Lets what is on its way arrive, then closes the store."""
        await self._reads.settled()
        await self._writes.settled()
        await self._store.close()

    async def _ask(self, batches: Batches[Item, Result], item: Item) -> Result:
        if self._clock() < self._away_until:
            raise StoreError("the store did not answer a moment ago")
        try:
            return await batches.ask(item, self._patience_seconds)
        except _Late:
            self._leave_alone()
            raise

    async def _guard(self, call: Coroutine[None, None, Result]) -> Result:
        try:
            return await call
        except StoreError:
            self._leave_alone()
            raise

    def _leave_alone(self) -> None:
        self._away_until = self._clock() + self._pause_seconds
