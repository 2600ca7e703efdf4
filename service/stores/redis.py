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

# What redis-py raises. RedisClusterException (a cluster that cannot be reached, or has no node for
# a key) is not a RedisError.
FAILURES = (RedisError, RedisClusterException, OSError)

# No session has this key, and nothing is stored under it: SET with XX is a write, but only replaces
# a value that is there.
PROBE = f"{NAMESPACE}probe"


class RedisStore:
    """One Redis, by a pool of connections; a caller waits for a free one for the timeout at most.

    A call is retried once at most, since a keystroke waits for it. A write whose reply was lost
    can be repeated: its own token is then in the store, and counts as the expected one.
    """

    def __init__(
        self, url: str, *, ttl_seconds: int, timeout_seconds: float, connections: int
    ) -> None:
        """Raises ValueError for an address that cannot be one; connects only when first used."""
        self._ttl_milliseconds = ttl_seconds * 1000
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 1),
        )
        self._client: Redis = Redis.from_pool(self._pool)

    def part_of(self, key: str) -> str:
        """The only part."""
        return ""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key; it is not sent where the caller's copy is current."""
        async with translated_errors():
            replies = await run(self._client, READ_UNLESS_KNOWN, read_calls(reads))
            return [found(reply) for reply in replies]

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value by itself, in the order given."""
        async with translated_errors():
            calls = write_calls(writes, self._ttl_milliseconds)
            replies = await run(self._client, COMPARE_AND_SET, calls)
            return [outcome(reply) for reply in replies]

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key."""
        async with translated_errors():
            await self._client.unlink(key)

    async def ping(self) -> None:
        """Returns once Redis has taken a write; a full Redis and a replica refuse it."""
        async with translated_errors():
            await self._client.set(PROBE, b"", xx=True)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose(close_connection_pool=True)


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Raises StoreError for every error of Redis and its client."""
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
    """What a reply of READ_UNLESS_KNOWN says."""
    if isinstance(reply, Exception):
        return store_error(reply)
    return Found(None, current=True) if reply[0] == 1 else Found(reply[1])


def outcome(reply: Any) -> Outcome | StoreError:
    """What a reply of COMPARE_AND_SET says."""
    if isinstance(reply, Exception):
        return store_error(reply)
    return Outcome(written=reply[0] == 1, held=None if reply[0] == 1 else reply[1])
