"""Sessions in a Redis Cluster: each node gets its share of a batch in one pipeline."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.stores.protocol import Found, Outcome, Read, StoreError, Write
from service.stores.redis import (
    FAILURES,
    found,
    outcome,
    read_calls,
    store_error,
    translated_errors,
    write_calls,
)
from service.stores.scripts import COMPARE_AND_SET, READ_UNLESS_KNOWN, Call, Script, run, unlink

Result = TypeVar("Result")

# How long nothing is sent to a node that failed. After that, the cluster is asked for its topology
# again.
PAUSE_SECONDS = 0.5


class ClusterStore:
    """The nodes of a cluster, each with a pool of connections.

    A node that fails or hangs affects only the sessions on it. redis-py needs help with that:
    - Its pools raise an error when they are full, so callers wait for a connection at a semaphore.
    - Its client may keep an outdated topology, so a new client is made after failures. It starts
      from all nodes that were ever seen.
    - After a failed command it connects to all nodes again, but not after a failed pipeline. So
      every key is read, written and deleted in a pipeline.
    """

    def __init__(
        self,
        url: str,
        *,
        ttl_seconds: int,
        timeout_seconds: float,
        connections: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError for an address without a host; connects only when first used."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("expected the host of one of the cluster's nodes")
        self._url = urlunsplit(parts._replace(scheme=parts.scheme.replace("+cluster", "")))
        self._ttl_milliseconds = ttl_seconds * 1000
        self._timeout_seconds = timeout_seconds
        self._connections = connections
        self._clock = clock
        self._free_connections = defaultdict[str, asyncio.Semaphore](
            lambda: asyncio.Semaphore(connections)
        )
        # The host and port of each node that was ever seen, by its name.
        self._nodes: dict[str, tuple[str, int]] = {}
        self._paused_until: dict[str, float] = {}
        self._discovering = asyncio.Lock()
        self._failed_at: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client = self._connect()

    def part_of(self, key: str) -> str:
        """The name of the node that holds the key; empty while no node is known."""
        try:
            node = self._client.get_node_from_key(key)
        except FAILURES:
            return ""
        return node.name if node else ""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key; it is not sent if the caller's copy is current."""
        return await self._run(READ_UNLESS_KNOWN, read_calls(reads), found)

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value independently; those of one node in the given order."""
        return await self._run(
            COMPARE_AND_SET, write_calls(writes, self._ttl_milliseconds), outcome
        )

    async def delete(self, key: str) -> None:
        """Deletes the key."""
        async with translated_errors():
            await self._ready()
        replies = await self._call_node(self.part_of(key), lambda: unlink(self._client, key))
        if isinstance(replies, StoreError):
            raise replies
        if isinstance(replies[0], Exception):
            raise store_error(replies[0])

    async def ping(self) -> None:
        """Returns once a node has said that the cluster serves all of its keys."""
        async with translated_errors():
            await self._ready()
        asked = [self._spawn(self._cluster_state(node)) for node in self._client.get_primaries()]
        said = ""
        for answer in asyncio.as_completed(asked):
            said = await answer
            if said == "ok":
                return
        raise StoreError(f"Redis Cluster: {said or 'no node is known'}")

    async def close(self) -> None:
        """Closes all connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _run(
        self, script: Script, calls: Sequence[Call], parse: Callable[[Any], Result]
    ) -> list[Result | StoreError]:
        async with translated_errors():
            await self._ready()
        shares: dict[str, list[int]] = defaultdict(list)
        for i, call in enumerate(calls):
            shares[self.part_of(call.key)].append(i)
        results: dict[int, Result | StoreError] = {}

        async def one(node: str, share: list[int]) -> None:
            own = [calls[i] for i in share]
            replies = await self._call_node(node, lambda: run(self._client, script, own))
            if isinstance(replies, StoreError):
                results.update(dict.fromkeys(share, replies))
            else:
                results.update(zip(share, map(parse, replies), strict=True))

        await asyncio.gather(*(one(node, share) for node, share in shares.items()))
        return [results[i] for i in range(len(calls))]

    async def _call_node(
        self, node: str, call: Callable[[], Awaitable[list[Any]]]
    ) -> list[Any] | StoreError:
        """The replies of one node, or the error if there are none."""
        if self._clock() < self._paused_until.get(node, float("-inf")):
            return StoreError("a node of the cluster did not answer a moment ago")
        try:
            async with self._free_connections[node]:
                replies = await call()
        except FAILURES as error:
            self._failed(node)
            return store_error(error)
        # While a replica takes over from its primary, nodes reply with errors. A missing script is
        # no such error, because `run` has already sent the script again.
        if any(isinstance(reply, Exception) for reply in replies):
            self._failed(node)
        return replies

    def _failed(self, node: str) -> None:
        now = self._clock()
        self._paused_until[node] = now + PAUSE_SECONDS
        if self._failed_at is None:
            self._failed_at = now

    async def _cluster_state(self, node: ClusterNode) -> str:
        """The state of the whole cluster as a node sees it: "ok", or what is wrong."""
        try:
            async with self._free_connections[node.name]:
                said = await node.execute_command("CLUSTER INFO")
        except FAILURES as error:
            return str(error) or type(error).__name__
        return str(said.get("cluster_state"))

    async def _ready(self) -> None:
        """Returns once the client knows the cluster's nodes; after failures, renews the client.

        Callers do not wait for the new client. Until it is ready, they use the nodes that answer.
        """
        if not self._nodes:
            async with self._discovering:
                if not self._nodes:
                    await self._discover(self._client)
        now = self._clock()
        if self._failed_at is not None and now - self._failed_at >= PAUSE_SECONDS:
            self._failed_at = None
            self._spawn(self._renew())

    async def _discover(self, client: RedisCluster) -> None:
        await client.initialize()
        for node in client.get_nodes():
            self._nodes[node.name] = (node.host, int(node.port))

    async def _renew(self) -> None:
        fresh = self._connect()
        try:
            await self._discover(fresh)
        except FAILURES:
            # The cluster may not have agreed yet on which node replaces a lost one.
            await fresh.aclose()
            self._failed_at = self._clock()
            return
        old, self._client = self._client, fresh
        self._paused_until.clear()
        # Calls that still use the old client must have ended before it is closed.
        await asyncio.sleep(2 * self._timeout_seconds)
        await old.aclose()

    def _spawn(self, work: Coroutine[None, None, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _connect(self) -> RedisCluster:
        options: dict[str, Any] = {
            "max_connections": self._connections + 1,
            "socket_timeout": self._timeout_seconds,
            "socket_connect_timeout": self._timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            "require_full_coverage": False,
            # When a slot has moved, its new node is asked, and all other connections stay open.
            "reinitialize_steps": 0,
        }
        if self._nodes:
            options["startup_nodes"] = [ClusterNode(*place) for place in self._nodes.values()]
        return RedisCluster.from_url(self._url, **options)
