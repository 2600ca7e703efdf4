"""Sessions in one Redis: a read is one MGET, all writes of a tick are one pipeline."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from service.record import TOKEN_SIZE
from service.stores.protocol import Outcome, StoreError, Write

SCRIPT = (files("service.stores") / "compare_and_set.lua").read_text("utf-8")
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """One Redis, by a pool of connections that a caller waits for no longer than the timeout.

    A call is tried again once at most, since a keystroke waits for it; a write that was carried
    out although its reply was lost recognises itself by its token.
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

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, or None; one command."""
        async with _one_error():
            # The client decodes nothing, which its types do not tell.
            values: list[Any] = await self._client.mget(keys)
            return values

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome]:
        """Compares and sets each, on its own; one pipeline, and one more after a script flush."""
        async with _one_error():
            replies = await self._run("EVALSHA", SCRIPT_SHA, writes)
            unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if unknown:
                again = await self._run("EVAL", SCRIPT, [writes[i] for i in unknown])
                for i, reply in zip(unknown, again, strict=True):
                    replies[i] = reply
            return [_outcome(reply) for reply in replies]

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key."""
        async with _one_error():
            await self._client.unlink(key)

    async def ping(self) -> None:
        """Returns when Redis answers."""
        async with _one_error():
            await self._client.ping()

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose(close_connection_pool=True)

    async def _run(self, command: str, script: str, writes: Sequence[Write]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for write in writes:
                pipeline.execute_command(
                    command,
                    script,
                    1,
                    write.key,
                    write.expected,
                    write.value,
                    self._ttl_milliseconds,
                    TOKEN_SIZE,
                )
            return await pipeline.execute(raise_on_error=False)


@asynccontextmanager
async def _one_error() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreError(f"Redis: {error or type(error).__name__}") from error


def _outcome(reply: Any) -> Outcome:
    if isinstance(reply, Exception):
        raise reply
    return Outcome(written=reply[0] == 1, held=None if reply[0] == 1 else reply[1])
