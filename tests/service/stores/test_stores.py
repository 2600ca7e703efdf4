"""The contract of a store, run on each kind of store; Redis is a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from service.stores import (
    ClusterStore,
    Found,
    MemoryStore,
    Outcome,
    Read,
    RedisStore,
    Store,
    StoreError,
    Write,
    open_store,
    session_key,
    shown,
    token,
)
from tests.redis_server import RedisServer, free_port

KEY = session_key("default", "one")


def value(version: int, rest: bytes = b"state") -> bytes:
    return version.to_bytes(8, "big") + rest


def redis_store(
    url: str, connections: int = 4, ttl_seconds: int = 60, timeout_seconds: float = 20
) -> RedisStore:
    return RedisStore(
        url,
        ttl_seconds=ttl_seconds,
        timeout_seconds=timeout_seconds,
        connections=connections,
    )


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    opened: Store = MemoryStore(100, 60)
    if request.param == "redis":
        opened = redis_store(request.getfixturevalue("redis_url"))
    if request.param == "cluster":
        url = request.getfixturevalue("cluster_url")
        opened = ClusterStore(url, ttl_seconds=60, timeout_seconds=20, connections=4)
    yield opened
    await opened.close()


async def held(store: Store, *keys: str) -> list[bytes | None]:
    """The values that the store holds for some keys."""
    replies = await store.read_many([Read(key) for key in keys])
    return [reply.value for reply in replies if isinstance(reply, Found)]


async def write(store: Store, *writes: Write) -> list[Outcome]:
    """The outcomes of some writes, none of which may fail."""
    outcomes = await store.write_many(writes)
    return [outcome for outcome in outcomes if isinstance(outcome, Outcome)]


async def test_what_was_written_is_read(store: Store) -> None:
    (outcome,) = await write(store, Write(KEY, b"", value(1)))
    assert outcome.written
    assert await held(store, KEY, "absent") == [value(1), None]


async def test_a_value_is_not_sent_where_the_copy_of_the_reader_is_current(store: Store) -> None:
    await write(store, Write(KEY, b"", value(2)))
    replies = await store.read_many(
        [Read(KEY, token(value(2))), Read(KEY, token(value(1))), Read("absent", token(value(2)))]
    )
    assert replies == [Found(None, current=True), Found(value(2)), Found(None)]


async def test_a_write_needs_the_version_that_is_held(store: Store) -> None:
    await write(store, Write(KEY, b"", value(1)))
    first, second = await write(
        store, Write(KEY, token(value(1)), value(2)), Write(KEY, token(value(1)), value(3))
    )
    assert first.written
    assert (second.written, second.held) == (False, value(2))


async def test_a_repeated_write_recognises_itself(store: Store) -> None:
    same = Write(KEY, b"", value(1))
    for _ in range(2):
        (outcome,) = await write(store, same)
        assert outcome.written


async def test_a_write_after_the_session_expired_is_refused_with_nothing_held(store: Store) -> None:
    (outcome,) = await write(store, Write(KEY, token(value(1)), value(2)))
    assert (outcome.written, outcome.held) == (False, None)


async def test_a_foreign_value_can_be_replaced_by_its_first_bytes(store: Store) -> None:
    await write(store, Write(KEY, b"", b"odd"))
    (odd,) = await held(store, KEY)
    (outcome,) = await write(store, Write(KEY, token(odd), value(1)))
    assert outcome.written


async def test_nothing_is_left_after_delete(store: Store) -> None:
    await write(store, Write(KEY, b"", value(1)))
    await store.delete(KEY)
    await store.delete(KEY)
    assert await held(store, KEY) == [None]


async def test_two_tenants_with_one_session_id_never_meet(store: Store) -> None:
    await write(store, Write(session_key("a", "s"), b"", value(1)))
    assert await held(store, session_key("b", "s")) == [None]


async def test_memory_lets_the_least_recently_used_go() -> None:
    store = MemoryStore(2, 60)
    for key in ("a", "b"):
        await write(store, Write(key, b"", value(1)))
    await write(store, Write("a", token(value(1)), value(2)), Write("c", b"", value(1)))
    assert await held(store, "a", "b", "c") == [value(2), None, value(1)]


async def test_memory_forgets_a_session_whose_time_is_over_and_a_use_renews_it() -> None:
    now = 0.0
    store = MemoryStore(10, 60, clock=lambda: now)
    await write(store, Write("a", b"", value(1)), Write("b", b"", value(1)))
    now = 59.0
    await write(store, Write("a", token(value(1)), value(1)))
    now = 61.0
    assert await held(store, "a", "b") == [value(1), None]
    assert len(store) == 1


async def test_redis_gives_each_write_a_new_time_to_live(redis_url: str) -> None:
    store = redis_store(redis_url, ttl_seconds=100)
    with redis.Redis.from_url(redis_url) as client:
        await write(store, Write(KEY, b"", value(1)))
        client.pexpire(KEY, 50_000)
        await write(store, Write(KEY, token(value(1)), value(1)))
        assert 50_000 < client.pttl(KEY) <= 100_000
    await store.close()


async def test_a_value_of_another_type_counts_as_nothing(redis_url: str) -> None:
    store = redis_store(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.rpush(KEY, "foreign")
    assert await held(store, KEY) == [None]
    (outcome,) = await write(store, Write(KEY, b"", value(1)))
    assert outcome.written
    await store.close()


async def test_writes_go_on_after_the_scripts_are_flushed(redis_url: str) -> None:
    store = redis_store(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        for version in range(1, 4):
            client.script_flush()
            expected = token(value(version - 1)) if version > 1 else b""
            (outcome,) = await write(store, Write(KEY, expected, value(version)))
            assert outcome.written
    await store.close()


async def test_no_redis_is_a_store_error_and_service_comes_back(own_redis: RedisServer) -> None:
    store = redis_store(own_redis.url, connections=1)
    await write(store, Write(KEY, b"", value(1)))
    own_redis.stop()
    for _ in range(5):
        with pytest.raises(StoreError):
            await held(store, KEY)
        with pytest.raises(StoreError):
            await write(store, Write(KEY, b"", value(1)))
    own_redis.start()
    assert await held(store, KEY) == [None]
    (outcome,) = await write(store, Write(KEY, b"", value(1)))
    assert outcome.written
    await store.close()


async def test_a_server_that_never_answers_is_tried_twice_for_the_timeout_each() -> None:
    attempts = 0

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await never.wait()
        writer.close()

    never = asyncio.Event()
    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = redis_store(f"redis://127.0.0.1:{port}/0", timeout_seconds=0.25)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(StoreError):
        await held(store, KEY)
    # There are two attempts of a second each, not redis-py's ten of five seconds.
    assert attempts == 2
    assert asyncio.get_running_loop().time() - begun < 4
    never.set()
    await store.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_server_that_is_not_there_is_the_stores_own_error(scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    store = open_store(url, ttl_seconds=1, max_sessions=1, timeout_seconds=0.25, connections=1)
    assert store.part_of(KEY) == ""
    for call in (store.read_many([Read(KEY)]), store.delete(KEY), store.ping()):
        with pytest.raises(StoreError):
            await call
    await store.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryStore),
        ("redis://127.0.0.1:1/0", RedisStore),
        ("rediss://127.0.0.1:1/0", RedisStore),
        ("unix:///nowhere.sock", RedisStore),
        ("redis+cluster://127.0.0.1:1", ClusterStore),
    ],
)
async def test_the_scheme_chooses_the_store(url: str, kind: Callable[..., Store]) -> None:
    opened = open_store(url, ttl_seconds=1, max_sessions=1, timeout_seconds=0.1, connections=1)
    assert type(opened) is kind
    await opened.close()


@pytest.mark.parametrize("url", ["postgres://x", "redis", "redis://host:port/0"])
def test_an_address_that_no_store_takes_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        open_store(url, ttl_seconds=1, max_sessions=1, timeout_seconds=0.1, connections=1)


def test_an_address_is_shown_without_its_password() -> None:
    assert shown("redis://user:secret@host:6379/0?password=x") == "redis://host:6379/0"
    assert shown("unix:///run/redis.sock?db=1") == "unix:///run/redis.sock"
    assert shown("memory://") == "memory://"
