"""A worker's copies of sessions: what they spare, and that none outlives its session for long."""

from pathlib import Path
from typing import Any

import redis

from model.decoding.continuation import Continuation
from model.served import Runtime
from service.expiring import ExpiringMap
from service.sessions.record_cache import CachedRecord, RecordCache
from service.sessions.rules import WholeText
from service.stores.tokens import token_of
from tests.service.clock import ManualClock
from tests.service.recurrence import request
from tests.service.running import comparable, reference, running

RECORD = request(None, WholeText("abc"))
COPY = CachedRecord(token_of(RECORD.version), RECORD)


def test_the_least_recent_copies_go_first_and_all_after_their_time() -> None:
    clock = ManualClock()
    record_cache = RecordCache(2, 600, clock)
    for key in ("a", "b", "a", "c"):
        record_cache.put(key, COPY)
    assert [record_cache.get(key) is COPY for key in ("a", "b", "c")] == [True, False, True]
    clock.now = 600
    record_cache.expire()
    assert len(record_cache) == 0


def test_predictions_go_after_their_time() -> None:
    clock = ManualClock()
    continuations: ExpiringMap[str, Continuation] = ExpiringMap(2, 600, clock)
    continuations.put("a", Continuation("00", b"", ()))
    clock.now = 599
    continuations.expire()
    assert continuations.get("a") is not None
    clock.now = 600
    continuations.expire()
    assert continuations.get("a") is None


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
            # Asking costs something itself.
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
        # Having heard of it, the first worker has let go of its copy as well.
        assert len(one.resources.record_cache) == 0


async def test_a_copy_of_another_checkpoint_is_not_gone_on_from(
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
