"""Sessions in one Redis: a batch of reads is one pipeline, and so is a batch of writes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from service.stores.protocol import NAMESPACE, Found, Outcome, Read, StoreError, Write
from service.stores.scripts import COMPARE_AND_SET, READ_UNLESS_KNOWN, Call, run
from service.stores.tokens import TOKEN_SIZE

# The errors that redis-py raises. RedisClusterException (a cluster that cannot be reached, or has
# no node for a key) is not a RedisError.
FAILURES = (RedisError, RedisClusterException, OSError)

# redis-py's own timeouts are so many times the store's. They go on while the event loop is late and
# an answer waits to be read. How long a request waits is limited before that, in batches.py; these
# only end connections on which nothing will ever come.
CONNECTION_TIMEOUTS = 4

# `ping` writes to this key, which belongs to no session. Nothing is ever stored under it: SET with
# XX counts as a write, but only replaces an existing value.
PROBE = f"{NAMESPACE}probe"


class RedisStore:
    """One Redis with a pool of connections; a caller also waits for a free one.

    A call is retried only once, because a keystroke waits for it. A write whose reply was lost can
    be repeated: the store then holds its own token, which counts as the expected one.
    """

    def __init__(
        self, url: str, *, ttl_seconds: int, timeout_seconds: float, connections: int
    ) -> None:
        """Raises ValueError for an invalid address; connects only when first used."""
        self._ttl_milliseconds = ttl_seconds * 1000
        patience = CONNECTION_TIMEOUTS * timeout_seconds
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=patience,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 1),
        )
        self._client: Redis = Redis.from_pool(self._pool)

    def part_of(self, key: str) -> str:
        """The store has only one part."""
        return ""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key; it is not sent if the caller's copy is current."""
        async with translated_errors():
            replies = await run(self._client, READ_UNLESS_KNOWN, read_calls(reads))
            return [found(reply) for reply in replies]

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value independently, in the given order."""
        async with translated_errors():
            calls = write_calls(writes, self._ttl_milliseconds)
            replies = await run(self._client, COMPARE_AND_SET, calls)
            return [outcome(reply) for reply in replies]

    async def delete(self, key: str) -> None:
        """Deletes the key."""
        async with translated_errors():
            await self._client.unlink(key)

    async def ping(self) -> None:
        """Returns once Redis has accepted a write; a full Redis and a replica refuse it."""
        async with translated_errors():
            await self._client.set(PROBE, b"", xx=True)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose(close_connection_pool=True)


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Turns every error of Redis and its client into a StoreError."""
    try:
        yield
    except FAILURES as error:
        raise store_error(error) from error


def store_error(error: Exception) -> StoreError:
    """The StoreError for an error of Redis or its client."""
    return StoreError(f"Redis: {error or type(error).__name__}")


def read_calls(reads: Sequence[Read]) -> list[Call]:
    """The calls of READ_UNLESS_KNOWN."""
    return [Call(read.key, (read.known,)) for read in reads]


def write_calls(writes: Sequence[Write], ttl_milliseconds: int) -> list[Call]:
    """The calls of COMPARE_AND_SET."""
    return [
        Call(write.key, (write.expected, write.value, ttl_milliseconds, TOKEN_SIZE))
        for write in writes
    ]


def found(reply: Any) -> Found | StoreError:
    """The result in a reply of READ_UNLESS_KNOWN."""
    if isinstance(reply, Exception):
        return store_error(reply)
    return Found(None, current=True) if reply[0] == 1 else Found(reply[1])


def outcome(reply: Any) -> Outcome | StoreError:
    """The result in a reply of COMPARE_AND_SET."""
    if isinstance(reply, Exception):
        return store_error(reply)
    return Outcome(written=reply[0] == 1, held=None if reply[0] == 1 else reply[1])
