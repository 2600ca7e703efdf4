"""The WebSocket: the requests of POST /complete as messages, many sessions a connection."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from model.served import Runtime
from tests.service.running import EAGER, Service, comparable, listening, reference, until
from tests.tiny import save_tiny_checkpoint

LONG = {"prefix": "abc def\n" * 24_000, "model": "wide"}
AT_ONCE = 1.0


@pytest.fixture(scope="module")
def wide_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "wide", hidden=1024)


@pytest.fixture
async def service(checkpoint: Path, wide_checkpoint: Path) -> AsyncIterator[Service]:
    async with listening(checkpoint=(checkpoint, wide_checkpoint)) as started:
        yield started


@asynccontextmanager
async def talking(service: Service, **options: Any) -> AsyncIterator[ClientConnection]:
    url = str(service.http.base_url).replace("http", "ws")
    async with connect(f"{url}/ws", **options) as connection:
        yield connection


async def tell(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(EAGER | message))


async def hear(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await connection.recv())
    return message


def answer_of(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in ("id", "event")}


async def test_a_typist_gets_what_http_answers(service: Service, runtime: Runtime) -> None:
    text = "import numpy"
    async with talking(service) as connection:
        await tell(connection, id=0, session="s", prefix="")
        answer = await hear(connection)
        for length, character in enumerate(text):
            edit = {"version": answer["version"], "keep": length, "append": character}
            await tell(connection, id=length + 1, session="s", edit=edit, top=3)
            answer = await hear(connection)
            assert (answer["id"], answer["event"]) == (length + 1, "completion")
            assert answer["usage"]["characters_absorbed"] == 1
            expected = reference(runtime, text[: length + 1], top=3)
            assert comparable(answer_of(answer)) == expected
    same = await service.complete(session="s", prefix=text, top=3)
    assert answer_of(answer) | {"usage": None} == same | {"usage": None}


async def test_many_sessions_share_a_connection(service: Service, runtime: Runtime) -> None:
    async with talking(service) as connection:
        for i in range(100):
            await tell(connection, id=f"n{i}", session=f"s{i}", prefix=f"text {i}")
        answers = {a["id"]: a for a in [await hear(connection) for _ in range(100)]}
    for i in range(0, 100, 9):
        assert comparable(answer_of(answers[f"n{i}"])) == reference(runtime, f"text {i}")


async def test_a_newer_request_of_the_session_ends_the_older(service: Service) -> None:
    async with talking(service) as connection:
        await tell(connection, id=1, session="s", **LONG)
        await tell(connection, id=2, session="other", **LONG)
        await until(lambda: service.taken == 2)
        await tell(connection, id=3, session="s", prefix="abc")
        ended, answered = await hear(connection), await hear(connection)
        assert (ended["id"], ended["event"]) == (1, "error")
        assert ended["error"]["code"] == "superseded"
        assert (answered["id"], answered["event"]) == (3, "completion")
        # The same session is used over HTTP.
        await service.complete(session="other", prefix="abc")
        ended = await hear(connection)
        assert (ended["id"], ended["error"]["code"]) == (2, "superseded")
    await until(lambda: service.taken == 0, AT_ONCE)


@pytest.mark.parametrize(
    ("message", "id_", "code", "field"),
    [
        ("{", None, "invalid_json", "body"),
        ("[" * 100_000, None, "invalid_json", "body"),
        (b'{"id": 1, "prefix": "a"}', None, "invalid_json", "body"),
        ("null", None, "invalid_request", "body"),
        ("[]", None, "invalid_request", "body"),
        ('{"prefix": "a"}', None, "invalid_request", "id"),
        ('{"id": true, "prefix": "a"}', None, "invalid_request", "id"),
        ('{"id": 1}', 1, "invalid_request", "prefix"),
        ('{"id": "x", "prefix": "a", "surname": 1}', "x", "invalid_request", "surname"),
        ('{"id": 2, "prefix": "\\ud800"}', 2, "invalid_request", "prefix"),
        ('{"id": 2, "prefix": "a", "top": NaN}', 2, "invalid_request", "top"),
        ('{"id": 2, "prefix": "a", "model": "no such"}', 2, "unknown_model", "model"),
        (
            '{"id": 3, "edit": {"version": 1, "keep": 0, "append": ""}}',
            3,
            "resync",
            "edit.version",
        ),
        ('{"id": 4, "prefix": "' + "a" * 300_000 + '"}', 4, "too_large", "prefix"),
        ('{"id": 4, "prefix": "' + "a" * 3_000_000 + '"}', 4, "too_large", "body"),
        ('{"id": 4, "prefix": "' + "é" * 1_500_000 + '"}', 4, "too_large", "body"),
    ],
)
async def test_errors_have_the_same_form_and_end_no_connection(
    service: Service, message: str | bytes, id_: int | str | None, code: str, field: str
) -> None:
    async with talking(service) as connection:
        await connection.send(message)
        refused = await hear(connection)
        assert (refused["id"], refused["event"]) == (id_, "error")
        assert (refused["error"]["code"], refused["error"]["field"]) == (code, field)
        assert set(refused["error"]) <= {"code", "message", "field", "version"}
        await tell(connection, id=9, prefix="abc")
        assert (await hear(connection))["event"] == "completion"


async def test_a_message_of_any_size_is_not_kept(service: Service) -> None:
    async with talking(service) as connection:
        await asyncio.wait({asyncio.create_task(connection.send("a" * 9_000_000))})
        with pytest.raises(ConnectionClosedError) as closed:
            await hear(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_web_page_of_another_origin_is_refused(service: Service) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(service, origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "forbidden_origin"
    own = str(service.http.base_url).rstrip("/")
    async with talking(service, origin=own) as connection:
        await tell(connection, id=1, prefix="a")
        assert (await hear(connection))["event"] == "completion"


async def test_a_client_that_goes_away_frees_all_that_computes_for_it(service: Service) -> None:
    async with talking(service) as connection:
        for i in range(10):
            await tell(connection, id=i, session=f"s{i}", stream=i % 2 == 0, **LONG)
        await until(lambda: service.taken == 10)
        connection.transport.abort()
        await until(lambda: service.taken == 0, AT_ONCE)


async def test_a_client_that_does_not_read_delays_no_other_client(
    service: Service, runtime: Runtime
) -> None:
    url = service.http.base_url
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((url.host, url.port))
        narrow.setblocking(False)
        async with talking(service, sock=narrow, max_queue=1) as slow, talking(service) as other:

            async def ask_and_ask() -> None:
                message = {"prefix": "a text", "suffix": "z" * 5000, "top": 256}
                for i in range(20_000):
                    await tell(slow, id=i, session=f"s{i % 300}", **message)

            asking = asyncio.create_task(ask_and_ask())
            # Unread answers fill the buffers between client and service; then it cannot send more.
            await until(lambda: slow.transport.get_write_buffer_size() > 0, 60)
            for i in range(10):
                await tell(other, id=i, session="typist", prefix="x" * i)
                answer = await hear(other)
                assert comparable(answer_of(answer)) == reference(runtime, "x" * i)
            await until(lambda: service.taken == 0)
            assert not asking.done()
            asking.cancel()
            slow.transport.abort()


async def test_the_number_of_unanswered_requests_is_limited(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.http.websocket.MOST_UNANSWERED", 3)
    async with talking(service) as connection:
        for i in range(3):
            await tell(connection, id=i, session=f"s{i}", **LONG)
        await tell(connection, id="more", prefix="a")
        refused = await hear(connection)
        assert (refused["id"], refused["error"]["code"]) == ("more", "overloaded")
        connection.transport.abort()


async def test_a_fault_is_told_and_logs_no_text(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A client cannot cause a fault, so the test causes one: it removes the sessions' storage.
    monkeypatch.setattr(service.resources.completions, "_storage", None)
    async with talking(service) as connection:
        for stream in (False, True):
            await tell(connection, id=1, prefix="my secret", stream=stream)
            assert (await hear(connection))["error"]["code"] == "internal"
    assert "AttributeError" in caplog.text
    assert "secret" not in caplog.text
