"""A Redis Cluster that loses nodes, scripts and connections while people type."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model.served import Runtime
from service.stores import (
    BatchedStore,
    ClusterStore,
    Found,
    Outcome,
    Read,
    StoreError,
    Write,
    session_key,
    token,
)
from service.stores.cluster import PAUSE_SECONDS
from tests.redis_cluster import Cluster, running_cluster
from tests.service.running import EAGER, Service, comparable, reference, running

TYPISTS = 50
TEXT = ("for name in sorted(names):\n    print(name)\n" * 3)[:110]


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for one test, which may lose nodes."""
    with running_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def lasting_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for one test in which no node replaces a lost one."""
    with running_cluster(tmp_path, seconds_to_fail_over=600) as cluster:
        yield cluster


class ClusterTypist:
    """Types by edits, sends the whole text if an edit is refused, and checks every answer.

    `seen` counts the refusals by code, and the degraded answers.
    """

    def __init__(self, service: Service, number: int, expected: list[dict[str, Any]]) -> None:
        self._service = service
        self._session = f"typist-{number}"
        self._expected = expected
        self._version: int | None = None
        self.seen: Counter[str] = Counter()

    async def type(self, length: int) -> None:
        """Types the next character, so that `length` characters of the text are there."""
        change: dict[str, Any] = {"prefix": TEXT[:length]}
        if self._version is not None:
            edit = {"version": self._version, "keep": length - 1, "append": TEXT[length - 1]}
            change = {"edit": edit}
        reply = await self._ask(change)
        if reply.status_code != 200:
            self.seen[reply.json()["error"]["code"]] += 1
            assert reply.json()["error"]["code"] in ("resync", "store_unavailable")
            reply = await self._ask({"prefix": TEXT[:length]})
        answer = reply.json()
        assert comparable(answer) == self._expected[length]
        self.seen["degraded"] += answer["degraded"]
        self._version = answer["version"]

    async def _ask(self, change: dict[str, Any]) -> Any:
        body = EAGER | {"session": self._session} | change
        return await self._service.http.post("/complete", json=body)


@pytest.mark.timeout(240)
async def test_a_primary_is_killed_while_50_typists_type(
    options: dict[str, Any],
    runtime: Runtime,
    own_cluster: Cluster,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    expected = [reference(runtime, TEXT[:length]) for length in range(len(TEXT) + 1)]
    store = own_cluster.url
    async with running(**options, store=store) as one, running(**options, store=store) as two:
        typists = [ClusterTypist((one, two)[i % 2], i, expected) for i in range(TYPISTS)]

        async def all_type(length: int) -> int:
            before = sum(typist.seen.total() for typist in typists)
            await asyncio.gather(*(typist.type(length) for typist in typists))
            return sum(typist.seen.total() for typist in typists) - before

        length = 1
        for length in range(1, 20):
            assert await all_type(length) == 0
        own_cluster.servers[0].stop()
        quiet = 0
        while quiet < 5:
            assert length < len(TEXT) - 1, "the cluster never came back"
            length += 1
            troubles = await all_type(length)
            quiet = quiet + 1 if troubles == 0 else 0
            if troubles:
                # People, too, see the answer to a key before they type the next one.
                await asyncio.sleep(0.1)
    seen = sum((typist.seen for typist in typists), Counter[str]())
    rebuilt = sum(typist.seen["resync"] + typist.seen["store_unavailable"] for typist in typists)
    record_testsuite_property("sessions rebuilt after a primary was killed", rebuilt)
    record_testsuite_property("what was seen meanwhile", dict(seen))
    # About a third of the sessions were on that primary.
    assert 0 < sum(typist.seen.total() > 0 for typist in typists) < TYPISTS


async def test_writes_go_on_after_the_scripts_of_all_nodes_are_flushed(
    redis_cluster: Cluster, cluster_url: str
) -> None:
    store = ClusterStore(cluster_url, ttl_seconds=60, timeout_seconds=20, connections=2)
    keys = [session_key("t", str(i)) for i in range(20)]
    for version in (b"1" * 8, b"2" * 8):
        redis_cluster.flush_scripts()
        replies = await store.read_many([Read(key) for key in keys])
        values = [reply.value for reply in replies if isinstance(reply, Found)]
        writes = [Write(key, token(v), version) for key, v in zip(keys, values, strict=True)]
        outcomes = await store.write_many(writes)
        assert all(isinstance(o, Outcome) and o.written for o in outcomes)
    await store.close()


async def test_more_callers_than_connections_wait_for_each_other(cluster_url: str) -> None:
    store = ClusterStore(cluster_url, ttl_seconds=60, timeout_seconds=20, connections=1)
    asked = [store.read_many([Read(session_key("t", str(i)))]) for i in range(60)]
    replies = await asyncio.gather(*asked)
    assert replies == [[Found(None)]] * 60
    await store.close()


async def test_a_lost_node_affects_only_its_own_keys_and_causes_no_timeout(
    lasting_cluster: Cluster,
) -> None:
    clock = [0.0]
    store = ClusterStore(
        lasting_cluster.url,
        ttl_seconds=60,
        timeout_seconds=3,
        connections=4,
        clock=lambda: clock[0],
    )
    reads = [Read(session_key("t", str(i))) for i in range(60)]
    await store.read_many(reads)
    lasting_cluster.servers[0].hang()
    await store.read_many(reads)
    begun = asyncio.get_running_loop().time()
    replies = await store.read_many(reads)
    assert asyncio.get_running_loop().time() - begun < 2
    failed = [isinstance(reply, StoreError) for reply in replies]
    assert 0 < sum(failed) < len(reads)
    lasting_cluster.servers[0].go_on()
    clock[0] += PAUSE_SECONDS
    assert await store.read_many(reads) == [Found(None)] * len(reads)
    await store.close()


def went_well(reply: object) -> bool:
    return isinstance(reply, Found) or (isinstance(reply, Outcome) and reply.written)


async def test_while_a_node_hangs_the_sessions_of_the_others_do_not_wait_for_it(
    lasting_cluster: Cluster,
) -> None:
    patience = 60.0
    inner = ClusterStore(
        lasting_cluster.url, ttl_seconds=60, timeout_seconds=patience, connections=1
    )
    store = BatchedStore(inner, call_seconds=patience, request_seconds=patience)
    keys = [session_key("t", str(i)) for i in range(30)]
    for key in keys:
        assert await store.read(Read(key)) == Found(None)
    hanging = lasting_cluster.servers[0]
    theirs = [key for key in keys if inner.part_of(key).endswith(f":{hanging.port}")]
    others = [key for key in keys if key not in theirs]
    hanging.hang()
    waiting: list[asyncio.Task[Found | Outcome]] = [
        asyncio.create_task(work)
        for key in theirs
        for work in (store.read(Read(key)), store.write(Write(key, b"", b"12345678")))
    ]
    for round_ in range(5):
        before, now = (b"%08d" % r if r else b"" for r in (round_, round_ + 1))
        both = [(store.read(Read(key)), store.write(Write(key, before, now))) for key in others]
        replies = await asyncio.gather(*itertools.chain(*both))
        assert all(went_well(reply) for reply in replies)
    await store.delete(others[0])
    await store.ping()
    assert len(theirs) > 0
    assert not any(task.done() for task in waiting)
    hanging.go_on()
    assert all(went_well(reply) for reply in await asyncio.gather(*waiting))
    await store.close()
