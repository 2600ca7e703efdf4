"""Streams over HTTP: events, clients that close a stream early, and slow readers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.types import Message

from model.checkpoint import expected_shapes, save
from model.completing import complete
from model.decoding.options import Options
from model.network.config import NetworkConfig
from model.served import Runtime
from service.batching.batch import Batch
from service.completions import OnChars
from service.http.complete import events
from service.http.streaming import EventStream, Stream
from tests.service.running import EAGER, Service, comparable, listening, reference, running, until
from tests.tiny import save_tiny_checkpoint

LINE_ENDS = "\u0085\u2028\u2029"
TYPED = "def main():\n    for name in names:\n"


@pytest.fixture(scope="module")
def wide_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "wide", hidden=1024)


@pytest.fixture
async def wide_service(wide_checkpoint: Path) -> AsyncIterator[Service]:
    async with listening(checkpoint=(wide_checkpoint,)) as started:
        yield started


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The names and data of server-sent events."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name[7:], json.loads(data[6:])))
    return found


async def stream(service: Service, **body: Any) -> list[tuple[str, dict[str, Any]]]:
    asked = EAGER | body | {"stream": True}
    response = await service.http.post("/complete", json=asked)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    return events_of(response.text)


async def test_a_stream_ends_with_the_answer_and_takes_nothing_back(
    service: Service, runtime: Runtime
) -> None:
    for length in range(1, len(TYPED)):
        for options in ({}, {"max_lines": 5, "max_chars": 100}, {"suffix": TYPED[length:]}):
            prefix = TYPED[:length]
            *pieces, (name, answer) = await stream(service, session="s", prefix=prefix, **options)
            assert name == "completion"
            assert comparable(answer) == reference(runtime, prefix, **options)
            assert {name for name, _ in pieces} <= {"characters"}
            said = [char for _, piece in pieces for char in piece["chars"]]
            assert said == answer["chars"][: len(said)]


@pytest.fixture
async def line_service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose only characters are two letters and the line ends that JSON leaves as is."""
    config = NetworkConfig("elman", 1, 16, f"ab{LINE_ENDS}", byte_fallback=False)
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(config).items()}
    save(tmp_path / "lines", config, weights, {})
    async with listening(checkpoint=(tmp_path / "lines",)) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/complete", EAGER | {"prefix": f"a{LINE_ENDS}b", "top": 5}),
        ("/infill", {"input_prefix": f"a{LINE_ENDS}b", "input_suffix": "", "n_predict": 100}),
        ("/v1/completions", {"prompt": f"a{LINE_ENDS}b", "max_tokens": 100, "echo": True}),
    ],
)
async def test_each_event_is_one_line_for_a_client_that_ends_lines_where_unicode_does(
    line_service: Service, path: str, body: dict[str, Any]
) -> None:
    drawn = body | {"temperature": 1, "seed": 1, "stream": True}
    async with line_service.http.stream("POST", path, json=drawn) as response:
        lines = [line async for line in response.aiter_lines()]
    data = [line.removeprefix("data: ") for line in lines if line and line[:6] != "event:"]
    events = [json.loads(event) for event in data if event != "[DONE]"]
    said = json.dumps(events, ensure_ascii=False)
    assert len(events) > 1
    assert all(end in said for end in LINE_ENDS)


async def test_a_stream_is_the_sessions_request(service: Service, runtime: Runtime) -> None:
    (*_, (_, answer)) = await stream(service, session="s", prefix="import ")
    edit = {"version": answer["version"], "keep": 7, "append": "n"}
    (*_, (_, answer)) = await stream(service, session="s", edit=edit, top=3)
    assert comparable(answer) == reference(runtime, "import n", top=3)
    assert answer["usage"]["characters_absorbed"] == 1
    same = await service.complete(session="s", prefix="import n", top=3)
    assert comparable(same) == comparable(answer)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prefix": "a", "model": "none"}, 404, "unknown_model"),
        ({"prefix": "a", "top": -1}, 422, "invalid_request"),
        ({"edit": {"version": 1, "keep": 0, "append": ""}}, 409, "resync"),
        ({"prefix": "a" * 200_001}, 413, "too_large"),
    ],
)
async def test_what_fails_before_the_first_event_is_an_ordinary_error(
    memory_service: Service, body: dict[str, Any], status: int, code: str
) -> None:
    response = await memory_service.http.post("/complete", json=body | {"stream": True})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/infill", {"input_prefix": "a" * 200_001, "input_suffix": ""}),
        ("/v1/completions", {"prompt": "a" * 200_001}),
    ],
)
async def test_in_other_protocols_too_it_is_an_ordinary_error(
    memory_service: Service, path: str, body: dict[str, Any]
) -> None:
    response = await memory_service.http.post(path, json=body | {"stream": True})
    assert response.status_code == 400
    assert response.json()["error"]["message"]


async def test_a_newer_request_ends_a_stream_with_an_error(memory_service: Service) -> None:
    long = {"session": "s", "prefix": "abc def\n" * 20_000, "stream": True}
    older = asyncio.create_task(memory_service.http.post("/complete", json=long))
    await until(lambda: memory_service.taken == 1)
    await memory_service.complete(session="s", prefix="abc")
    response = await older
    assert (response.status_code, response.json()["error"]["code"]) == (409, "superseded")


async def test_what_fails_after_the_first_event_is_the_last_event(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    characters = complete(runtime, "import ", Options(min_confidence=0.0)).completion.chars
    message = "a secret"

    async def work(on_chars: OnChars) -> dict[str, Any]:
        on_chars(0, characters)
        await asyncio.sleep(0)
        raise ValueError(message)

    failing = Stream(work)
    await failing.begin()
    said = events_of(b"".join([event async for event in events(failing)]).decode())
    assert [name for name, _ in said] == ["characters", "error"]
    assert said[1][1]["error"]["code"] == "internal"
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


async def test_of_100_streams_that_are_cut_each_frees_its_computing_within_a_step(
    wide_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[int] = []
    finished: list[object] = []
    advance, finish = Batch.advance, Batch._finish

    def watched_advance(batch: Batch) -> None:
        left = {row for row, request in batch._sequences.items() if request.abandoned}
        advance(batch)
        late.append(len(left & batch._sequences.keys()))

    def watched_finish(batch: Batch, row: Any, request: Any) -> None:
        finished.append(row)
        finish(batch, row, request)

    monkeypatch.setattr(Batch, "advance", watched_advance)
    monkeypatch.setattr(Batch, "_finish", watched_finish)
    url = wide_service.http.base_url

    async def begin(i: int) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        body = json.dumps({"prompt": f"text {i}", "max_tokens": 1000, "seed": i, "stream": True})
        head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        await reader.readuntil(b"data: ")
        return writer

    writers = await asyncio.gather(*(begin(i) for i in range(100)))
    running_then = wide_service.taken
    for writer in writers:
        writer.transport.abort()
    await until(lambda: wide_service.taken == 0)
    assert running_then == 100
    assert not finished
    assert sum(late) == 0


async def test_a_stream_that_nobody_reads_is_computed_and_delays_nobody(
    wide_service: Service,
) -> None:
    url = wide_service.http.base_url
    body = json.dumps(
        {"prompt": "import ", "max_tokens": 1000, "seed": 3, "logprobs": 5, "stream": True}
    )
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((url.host, url.port))
        narrow.sendall(
            f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await until(lambda: wide_service.taken == 1)
        for i in range(10):
            answer = await wide_service.complete(session="typist", prefix="x" * i)
            assert answer["length"] == i
        await until(lambda: wide_service.taken == 0)
        narrow.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=narrow)
        text = (await reader.read()).decode()
        writer.close()
    assert text.startswith("HTTP/1.1 200 OK")
    assert text.rstrip().endswith("data: [DONE]\n\n\r\n0")


def endless(ended: asyncio.Event) -> Callable[[OnChars], Coroutine[None, None, None]]:
    """Work for a stream that goes on until it is cancelled, and then says so."""

    async def work(_: OnChars) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    return work


async def test_a_stream_closed_before_it_begins_leaves_nothing(checkpoint: Path) -> None:
    async with running(checkpoint=(checkpoint,)) as service:
        ended = asyncio.Event()

        stream = Stream(endless(ended))
        await asyncio.sleep(0)
        stream.close()
        await asyncio.wait_for(ended.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await stream.begin()
        assert service.resources.scheduler.alive


async def test_a_response_that_is_cancelled_ends_its_stream() -> None:
    ended = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    response = EventStream(Stream(endless(ended)), nothing())
    responding = asyncio.create_task(response({"type": "http"}, receive, send))
    for _ in range(3):
        await asyncio.sleep(0)
    responding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await responding
    await asyncio.wait_for(ended.wait(), 10)
