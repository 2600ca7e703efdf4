"""How requests end early, and how the service answers while its store is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from starlette.middleware.base import BaseHTTPMiddleware

from model.served import Runtime
from service.http.app import create_app
from service.settings import load
from tests.redis_server import RedisServer
from tests.service.running import PATIENT, Service, comparable, listening, reference, running, until
from tests.tiny import save_tiny_checkpoint

# The text is so long, and the network so wide, that computing it takes at least three times
# AT_ONCE.
LONG = {"prefix": "abc def\n" * 24_000, "model": "wide"}
# A request that has ended must free its slots within this many seconds.
AT_ONCE = 4.0


@pytest.fixture(scope="module")
def wide_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "wide", hidden=1024)


@pytest.fixture
def options(checkpoint: Path, wide_checkpoint: Path) -> dict[str, Any]:
    return {"checkpoint": (checkpoint, wide_checkpoint), "store_timeout_seconds": PATIENT}


async def test_a_newer_request_of_the_session_supersedes_the_older_at_once(
    memory_service: Service, runtime: Runtime
) -> None:
    older = asyncio.create_task(memory_service.refused(session="s", **LONG))
    await until(lambda: memory_service.taken == 1)
    newer = await memory_service.complete(session="s", prefix="abc")
    assert comparable(newer) == reference(runtime, "abc")
    status, error = await older
    assert (status, error["code"]) == (409, "superseded")
    await until(lambda: memory_service.taken == 0, AT_ONCE)


async def test_a_superseded_request_leaves_the_session_as_the_newer_one_made_it(
    service: Service, runtime: Runtime
) -> None:
    text = "abc "
    answer = await service.complete(session="s", prefix=text)
    for i in range(20):
        burst = [text + "xyz"[i % 3] * n for n in range(1, 5)]
        asked = [service.http.post("/complete", json={"session": "s", "prefix": t}) for t in burst]
        replies = await asyncio.gather(*asked)
        assert [reply.status_code for reply in replies] == [409, 409, 409, 200]
        answer, text = replies[-1].json(), burst[-1]
    edit = {"version": answer["version"], "keep": len(text), "append": "!"}
    answer = await service.complete(session="s", edit=edit)
    assert comparable(answer) == reference(runtime, text + "!")


async def test_requests_of_other_sessions_do_not_supersede(memory_service: Service) -> None:
    asked = [memory_service.complete(session=f"s{i}", prefix="abc") for i in range(10)]
    assert len(await asyncio.gather(*asked)) == 10


async def test_deleting_a_session_ends_its_running_request(memory_service: Service) -> None:
    running_request = asyncio.create_task(memory_service.refused(session="s", **LONG))
    await until(lambda: memory_service.taken == 1)
    assert (await memory_service.http.delete("/sessions/s")).status_code == 204
    assert (await running_request)[1]["code"] == "superseded"
    await until(lambda: memory_service.taken == 0, AT_ONCE)


async def test_a_full_queue_answers_503_with_retry_after(options: dict[str, Any]) -> None:
    async with running(**options, queue_limit=1) as service:
        waiting = asyncio.create_task(service.refused(session="s", **LONG))
        await until(lambda: service.taken == 1)
        response = await service.http.post("/complete", json={"prefix": "a"})
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "overloaded"
        assert response.headers["Retry-After"] == "1"
        await service.http.delete("/sessions/s")
        await waiting


@pytest.fixture
async def redis_service(options: dict[str, Any], own_redis: RedisServer) -> AsyncIterator[Service]:
    """The service on a Redis that the test may stop."""
    async with running(**options, store=own_redis.url) as started:
        yield started


async def back_again(service: Service) -> None:
    """Returns once the service has noticed that its store is back."""
    for _ in range(200):
        if (await service.http.get("/readyz")).status_code == 200:
            return
    raise AssertionError("the store never came back")


async def test_prefix_is_served_while_redis_is_away_and_edit_asks_to_wait(
    redis_service: Service, own_redis: RedisServer, runtime: Runtime
) -> None:
    text = "abc def "
    answer = await redis_service.complete(session="s", prefix=text)
    own_redis.stop()
    for character in "xyz":
        text += character
        answer = await redis_service.complete(session="s", prefix=text)
        assert comparable(answer) == reference(runtime, text)
        assert answer["degraded"] is True
        assert answer["usage"]["characters_absorbed"] == 1
    edit = {"version": answer["version"], "keep": len(text), "append": "!"}
    response = await redis_service.http.post("/complete", json={"session": "s", "edit": edit})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "store_unavailable"
    assert response.headers["Retry-After"] == "1"
    response = await redis_service.http.get("/readyz")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")
    assert (await redis_service.http.get("/livez")).status_code == 200
    response = await redis_service.http.delete("/sessions/s")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")

    own_redis.start()
    await back_again(redis_service)
    status, error = await redis_service.refused(session="s", edit=edit)
    assert (status, error["code"]) == (409, "resync")
    answer = await redis_service.complete(session="s", prefix=text + "!")
    assert comparable(answer) == reference(runtime, text + "!")
    assert answer["degraded"] is False


@pytest.mark.parametrize(
    ("refusing", "taking"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ],
)
async def test_a_redis_that_refuses_writes_is_reported_and_prefix_is_served(
    redis_service: Service, own_redis: RedisServer, runtime: Runtime, refusing: str, taking: str
) -> None:
    ready = await redis_service.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    async with Redis.from_url(own_redis.url) as redis:
        assert await redis.dbsize() == 0
        await redis.execute_command(refusing)
        response = await redis_service.http.get("/readyz")
        assert (response.status_code, response.json()["error"]["code"]) == (
            503,
            "store_unavailable",
        )
        answer = await redis_service.complete(session="s", prefix="abc")
        assert comparable(answer) == reference(runtime, "abc")
        assert answer["degraded"] is True
        await redis.execute_command(taking)
    await back_again(redis_service)
    assert (await redis_service.complete(session="s", prefix="abcd"))["degraded"] is False


async def test_a_head_request_gets_the_status(memory_service: Service) -> None:
    for path in ("/livez", "/readyz"):
        assert (await memory_service.http.head(path)).status_code == 200
    await memory_service.resources.scheduler.stop()
    assert (await memory_service.http.head("/readyz")).status_code == 503


async def test_a_version_of_degraded_times_never_fits_what_the_store_kept(
    redis_service: Service, own_redis: RedisServer, runtime: Runtime
) -> None:
    kept = await redis_service.complete(session="s", prefix="one")
    own_redis.stop()
    lost = await redis_service.complete(session="s", prefix="another text")
    assert lost["degraded"] is True
    assert lost["version"] != kept["version"]
    own_redis.start()
    await back_again(redis_service)
    again = await redis_service.complete(session="s", prefix="one")
    assert again["version"] == kept["version"]
    edit = {"version": lost["version"], "keep": 12, "append": "!"}
    status, error = await redis_service.refused(session="s", edit=edit)
    assert (status, error["code"], error["version"]) == (409, "resync", kept["version"])


def test_no_middleware_stands_between_a_client_that_leaves_and_its_request(
    checkpoint: Path,
) -> None:
    app = create_app(load(checkpoint=(checkpoint,)))
    classes = [middleware.cls for middleware in app.user_middleware]
    assert classes
    assert not [c for c in classes if isinstance(c, type) and issubclass(c, BaseHTTPMiddleware)]


@pytest.mark.parametrize(
    ("path", "text", "extra"),
    [
        ("/complete", "prefix", {}),
        ("/complete", "prefix", {"stream": True}),
        ("/infill", "input_prefix", {"input_suffix": ""}),
        ("/infill", "input_prefix", {"input_suffix": "", "stream": True}),
        ("/v1/completions", "prompt", {}),
        ("/v1/completions", "prompt", {"stream": True}),
    ],
)
async def test_a_request_whose_client_leaves_frees_its_slot(
    options: dict[str, Any], path: str, text: str, extra: dict[str, Any]
) -> None:
    async with listening(**options) as service:
        for _ in range(3):
            body = {text: LONG["prefix"], "model": LONG["model"]} | extra
            leaving = asyncio.create_task(service.http.post(path, json=body))
            await until(lambda: service.taken == 1)
            leaving.cancel()
            await until(lambda: service.taken == 0, AT_ONCE)
        assert (await service.complete(prefix="abc"))["length"] == 3


async def test_a_body_of_50_mb_is_refused_with_an_answer_that_every_client_sees(
    options: dict[str, Any],
) -> None:
    size = 50_000_000
    async with listening(**options) as service:
        for headers in ({}, {"connection": "close"}):
            response = await service.http.post(
                "/complete", json={"prefix": "a" * size}, headers=headers
            )
            assert response.status_code == 413
            assert response.json()["error"]["field"] == "prefix"
        # This client sends everything before it reads anything.
        url = service.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST /complete HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + b'{"prefix": "')
        left = size - len(b'{"prefix": "')
        while left:
            writer.write(b"a" * min(left, 65_536))
            left -= min(left, 65_536)
            await writer.drain()
        answer = (await reader.read()).decode()
        assert answer.startswith("HTTP/1.1 413 ")
        assert '"field": "prefix"' in answer
        writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_forgotten(
    options: dict[str, Any],
) -> None:
    async with listening(**options) as service:
        url = service.http.base_url
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"POST /complete HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()
        assert (await service.complete(prefix="abc"))["length"] == 3
