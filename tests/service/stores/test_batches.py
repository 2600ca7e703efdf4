"""The store calls of many requests: they are batched, outlive their callers, and time out."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from service.stores import (
    BatchedStore,
    Found,
    MemoryStore,
    Outcome,
    Read,
    Store,
    StoreError,
    Write,
    token,
)
from tests.redis_server import RedisServer
from tests.service.clock import ManualClock
from tests.service.stores.test_stores import KEY, redis_store, value


def patient(store: Store, **options: Any) -> BatchedStore:
    """The store in batches, with timeouts so long that no call runs into them."""
    return BatchedStore(store, call_seconds=60, request_seconds=60, **options)


async def test_cancelled_callers_never_shift_the_replies_of_a_pool_of_one(redis_url: str) -> None:
    store = patient(redis_store(redis_url, connections=1))
    keys = [f"key-{i}" for i in range(40)]
    for i, key in enumerate(keys):
        assert (await store.write(Write(key, b"", value(i + 1)))).written
    with redis.Redis.from_url(redis_url) as client:
        connected = client.info("stats")["total_connections_received"]
    for round_ in range(60):
        asked = [asyncio.create_task(store.read(Read(key))) for key in keys]
        for _ in range(round_ % 12):
            await asyncio.sleep(0)
        for task in asked[round_ % 3 :: 3]:
            task.cancel()
        replies = await asyncio.gather(*asked, return_exceptions=True)
        for i, reply in enumerate(replies):
            assert isinstance(reply, asyncio.CancelledError) or reply == Found(value(i + 1))
    with redis.Redis.from_url(redis_url) as client:
        # If a call had been cut off, the client would have replaced its connection.
        assert client.info("stats")["total_connections_received"] == connected + 1
    await store.close()


async def test_a_pool_of_one_connection_leaks_none_through_errors(redis_url: str) -> None:
    inner = redis_store(redis_url, connections=1)
    store = patient(inner, pause_seconds=0)
    for i in range(50):
        await store.write(Write(KEY, token(value(i)) if i else b"", value(i + 1)))
        with redis.Redis.from_url(redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
    assert await store.read(Read(KEY)) == Found(value(50))
    await store.close()


async def test_calls_of_one_tick_share_a_pipeline(redis_url: str) -> None:
    store = patient(redis_store(redis_url))
    await store.ping()
    with redis.Redis.from_url(redis_url) as client:
        await store.read(Read(KEY))
        before = client.info("stats")["total_reads_processed"]
        await asyncio.gather(*(store.read(Read(f"k{i}")) for i in range(50)))
        # Redis reads once for the pipeline, or a few times if it arrives in parts, and once for
        # this question.
        assert client.info("stats")["total_reads_processed"] - before <= 5
    await store.close()


async def test_a_store_that_is_away_is_left_alone_for_a_moment(own_redis: RedisServer) -> None:
    clock = ManualClock()
    store = patient(redis_store(own_redis.url), pause_seconds=0.5, clock=clock)
    own_redis.stop()
    with pytest.raises(StoreError, match="Redis"):
        await store.read(Read(KEY))
    own_redis.start()
    with pytest.raises(StoreError, match="a moment ago"):
        await store.read(Read(KEY))
    clock.now = 0.6
    assert await store.read(Read(KEY)) == Found(None)
    await store.close()


async def test_delete_waits_for_writes_whose_callers_left() -> None:
    class LateToWrite(MemoryStore):
        async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
            await arrives.wait()
            return await super().write_many(writes)

    arrives = asyncio.Event()
    store = BatchedStore(LateToWrite(10, 60))
    writing = asyncio.create_task(store.write(Write(KEY, b"", value(1))))
    await asyncio.sleep(0)
    writing.cancel()
    deleting = asyncio.create_task(store.delete(KEY))
    for _ in range(10):
        await asyncio.sleep(0)
    arrives.set()
    await deleting
    assert await store.read(Read(KEY)) == Found(None)


async def test_nobody_waits_for_a_part_that_holds_none_of_their_sessions() -> None:
    class Parted(MemoryStore):
        def part_of(self, key: str) -> str:
            return key[0]

        async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
            if reads[0].key[0] == "a":
                await answering.wait()
                raise StoreError("part a has failed")
            return await super().read_many(reads)

    answering = asyncio.Event()
    store = BatchedStore(Parted(10, 60), call_seconds=60, request_seconds=60)
    waiting = asyncio.create_task(store.read(Read("a1")))
    for _ in range(3):
        assert await store.read(Read("b1")) == Found(None)
    assert not waiting.done()
    answering.set()
    with pytest.raises(StoreError, match="part a"):
        await waiting
    with pytest.raises(StoreError, match="a moment ago"):
        await store.read(Read("a2"))
    assert await store.read(Read("b2")) == Found(None)
    await store.close()


async def test_the_calls_of_one_request_share_its_time_budget() -> None:
    class Slow(MemoryStore):
        async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
            asyncio.get_running_loop().call_later(0.1, read.set)
            await read.wait()
            return await super().read_many(reads)

        async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
            await answering.wait()
            return await super().write_many(writes)

    read, answering = asyncio.Event(), asyncio.Event()
    store = BatchedStore(Slow(10, 60), call_seconds=60, request_seconds=0.4)
    budget = store.time_budget()
    await store.read(Read(KEY), budget)
    assert 0.1 < budget.seconds_left < 0.31
    # If this call had its own budget, it would take a minute.
    with pytest.raises(StoreError, match="in time"):
        await store.write(Write(KEY, b"", value(1)), budget)
    assert budget.seconds_left == pytest.approx(0, abs=1e-6)
    answering.set()
    await store.close()


async def test_the_store_is_not_blamed_for_an_event_loop_that_is_late(redis_url: str) -> None:
    inner = redis_store(redis_url, timeout_seconds=0.25)
    store = BatchedStore(inner, call_seconds=0.4, request_seconds=0.6)
    await store.ping()
    for _ in range(3):
        reading = asyncio.create_task(store.read(Read(KEY)))
        for _ in range(3):
            await asyncio.sleep(0)
        # The question is on its way. Now the loop is busy for longer than a request may wait.
        assert not reading.done()
        busy_until = time.monotonic() + 0.7
        while time.monotonic() < busy_until:
            pass
        assert await reading == Found(None)
    await store.close()


async def test_delete_returns_in_time_and_is_still_done_later() -> None:
    class SlowToDelete(MemoryStore):
        async def delete(self, key: str) -> None:
            await answering.wait()
            await super().delete(key)

    answering = asyncio.Event()
    inner = SlowToDelete(10, 60)
    inner.put(KEY, value(1))
    store = BatchedStore(inner, request_seconds=0.01)
    with pytest.raises(StoreError, match="in time"):
        await store.delete(KEY)
    answering.set()
    await asyncio.sleep(0)
    assert inner.get(KEY) is None
    await store.close()


async def test_a_fault_of_the_store_reaches_each_caller() -> None:
    class Broken(MemoryStore):
        async def read_many(self, reads: object) -> list[Found | StoreError]:
            raise RuntimeError("broken")

    store = BatchedStore(Broken(1, 1))
    replies = await asyncio.gather(
        store.read(Read("a")), store.read(Read("b")), return_exceptions=True
    )
    assert [type(reply) for reply in replies] == [RuntimeError, RuntimeError]
    assert (await store.write(Write("a", b"", value(1)))).written


async def test_a_request_gives_up_in_time_and_its_write_still_arrives() -> None:
    class SlowToWrite(MemoryStore):
        async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
            await answering.wait()
            return await super().write_many(writes)

    answering = asyncio.Event()
    inner = SlowToWrite(10, 60)
    store = BatchedStore(inner, call_seconds=0.01)
    with pytest.raises(StoreError, match="in time"):
        await store.write(Write(KEY, b"", value(1)))
    with pytest.raises(StoreError, match="a moment ago"):
        await store.read(Read(KEY))
    answering.set()
    await store.delete("other")
    assert inner.get(KEY) == value(1)
