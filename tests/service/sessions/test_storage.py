"""How a worker reads and writes sessions: its own records save reads, but only while current."""

from pathlib import Path
from typing import Any

import redis

from model.served import Runtime
from service.sessions.record import as_stored
from service.sessions.rules import TextEdit, WholeText
from service.sessions.sealing import Plain
from service.sessions.storage import HeldSession, SessionStorage, WriteOutcome
from service.stores import BatchedStore, MemoryStore, Store, session_key
from tests.redis_server import RedisServer
from tests.service.recurrence import request
from tests.service.running import Service, comparable, reference, running
from tests.service.stores.test_stores import redis_store

KEY = session_key("default", "s")
RECORD = request(None, WholeText("abc"))
LATER = request(RECORD, TextEdit(RECORD.version, 3, "d"))


def storage_on(store: Store) -> SessionStorage:
    """The storage of one worker on a store."""
    return SessionStorage(
        BatchedStore(store, pause_seconds=0, call_seconds=60, request_seconds=60),
        Plain(),
        most=2,
        seconds=600,
    )


async def read(storage: SessionStorage) -> HeldSession:
    return await storage.read(KEY, storage.time_budget())


async def test_what_one_worker_wrote_is_read_by_it_and_by_another() -> None:
    store = MemoryStore(10, 60)
    one, two = storage_on(store), storage_on(store)
    held = await read(one)
    assert held == HeldSession(None, b"", stored=True)
    assert await one.write(KEY, held, RECORD, one.time_budget()) == WriteOutcome(stored=True)
    assert (await read(one)).record is RECORD
    assert (await read(two)).record == as_stored(RECORD)
    await two.delete(KEY)
    assert await read(one) == HeldSession(None, b"", stored=True)


async def test_who_writes_second_is_given_what_the_first_one_wrote() -> None:
    store = MemoryStore(10, 60)
    one, two = storage_on(store), storage_on(store)
    held = await read(two)
    await one.write(KEY, await read(one), RECORD, one.time_budget())
    outcome = await two.write(KEY, held, LATER, two.time_budget())
    assert (outcome.stored, outcome.conflict) == (False, await read(storage_on(store)))
    assert outcome.conflict is not None
    assert outcome.conflict.record == as_stored(RECORD)
    again = await two.write(KEY, outcome.conflict, LATER, two.time_budget())
    assert again == WriteOutcome(stored=True)


async def test_what_was_read_without_the_store_is_not_written_to_it(own_redis: RedisServer) -> None:
    store = redis_store(own_redis.url)
    storage = storage_on(store)
    await storage.write(KEY, await read(storage), RECORD, storage.time_budget())
    own_redis.stop()
    held = await read(storage)
    assert held == HeldSession(RECORD, b"", stored=False)
    own_redis.start()
    assert await storage.write(KEY, held, LATER, storage.time_budget()) == WriteOutcome(False)
    # Redis has lost everything, and nothing has been written since.
    assert await read(storage) == HeldSession(None, b"", stored=True)
    await store.close()


def sent_by(client: redis.Redis) -> int:
    sent: int = client.info("stats")["total_net_output_bytes"]
    return sent


async def test_typing_on_reads_no_record_from_redis(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    text = "for name in names:\n" * 60
    async with running(**options, store=redis_url) as service:
        answer = await service.complete(session="s", prefix=text)
        with redis.Redis.from_url(redis_url) as client:
            (key,) = client.keys()
            size = client.strlen(key)
            # Asking Redis for its statistics sends bytes, too.
            before = sent_by(client)
            asking = sent_by(client) - before
            for _ in range(10):
                edit = {"version": answer["version"], "keep": len(text), "append": "x"}
                text += "x"
                answer = await service.complete(session="s", edit=edit)
            sent = sent_by(client) - before - 2 * asking
        assert comparable(answer) == reference(runtime, text)
        assert sent / 10 < 100 < size


async def test_a_session_deleted_through_another_worker_is_gone(
    options: dict[str, Any], redis_url: str
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        answer = await one.complete(session="s", prefix="secret text")
        assert (await two.http.delete("/sessions/s")).status_code == 204
        edit = {"version": answer["version"], "keep": 11, "append": "x"}
        status, error = await one.refused(session="s", edit=edit)
        assert (status, error["code"], error["version"]) == (409, "resync", None)
        # The first worker has noticed this, and has dropped its own record as well.
        assert len(one.resources.storage._kept) == 0


async def test_a_record_of_another_checkpoint_is_not_gone_on_from(
    options: dict[str, Any], redis_url: str, other_checkpoint: Path
) -> None:
    async with running(**options, store=redis_url) as service:
        texts = ["abc" + "x" * n for n in range(6)]
        models = ("tiny", "other")
        for i, text in enumerate(texts):
            answer = await service.complete(session="s", prefix=text, model=models[i % 2])
            fresh = await service.complete(prefix=text, model=models[i % 2])
            assert comparable(answer) == comparable(fresh)


async def test_two_workers_that_type_in_turn_each_read_the_other_s_record(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        answer = await one.complete(session="s", prefix="")
        for length in range(20):
            edit = {"version": answer["version"], "keep": length, "append": "x"}
            answer = await (one, two)[length % 2].complete(session="s", edit=edit)
            assert answer["usage"]["characters_absorbed"] == 1
            assert comparable(answer) == reference(runtime, "x" * (length + 1))


async def typed(service: Service, answer: dict[str, Any], count: int) -> dict[str, Any]:
    """The answer to the last of so many keys."""
    for _ in range(count):
        edit = {"version": answer["version"], "keep": answer["length"], "append": "x"}
        answer = await service.complete(session="s", edit=edit)
    return answer


async def test_a_worker_that_is_alone_with_a_session_asks_redis_once_a_key(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with running(**options, store=redis_url) as service:
        answer = await service.complete(session="s", prefix="abc")
        answer = await typed(service, answer, 5)
        with redis.Redis.from_url(redis_url) as client:
            asked: int = client.info("stats")["total_commands_processed"]
            answer = await typed(service, answer, 20)
            asked = client.info("stats")["total_commands_processed"] - asked
    assert comparable(answer) == reference(runtime, "abc" + "x" * 25)
    # A script's own commands are counted too: a write reads the token, and sets the value.
    assert asked <= 20 * 3 + 1


async def test_another_worker_takes_a_session_over_from_one_that_was_alone_with_it(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        answer = await one.complete(session="s", prefix="abc")
        for turn in range(6):
            answer = await typed((one, two)[turn % 2], answer, 7)
            assert comparable(answer) == reference(runtime, "abc" + "x" * 7 * (turn + 1))
        # The first worker's own record is old now, and an edit of it would have to be refused.
        old = await one.complete(session="s", prefix="another text")
        assert comparable(old) == reference(runtime, "another text")


async def test_an_edit_is_refused_while_redis_is_away_even_where_nobody_asked_it_first(
    options: dict[str, Any], own_redis: RedisServer, runtime: Runtime
) -> None:
    async with running(**options, store=own_redis.url) as service:
        answer = await service.complete(session="s", prefix="abc")
        answer = await typed(service, answer, 5)
        own_redis.stop()
        edit = {"version": answer["version"], "keep": answer["length"], "append": "y"}
        status, error = await service.refused(session="s", edit=edit)
        assert (status, error["code"]) == (503, "store_unavailable")
        whole = await service.complete(session="s", prefix="abcxxxxxy")
        assert comparable(whole) == reference(runtime, "abcxxxxxy")
        assert whole["degraded"] is True


async def test_a_session_deleted_elsewhere_is_gone_for_a_worker_that_was_alone_with_it(
    options: dict[str, Any], redis_url: str
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        answer = await typed(one, await one.complete(session="s", prefix="abc"), 5)
        assert (await two.http.delete("/sessions/s")).status_code == 204
        edit = {"version": answer["version"], "keep": answer["length"], "append": "y"}
        status, error = await one.refused(session="s", edit=edit)
        assert (status, error["code"], error["version"]) == (409, "resync", None)
