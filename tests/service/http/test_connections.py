"""Connections and bodies as clients of many kinds send them, over real sockets."""

import asyncio
import gzip
import json
import random
import time
import zlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from model.served import Runtime
from tests.service.running import EAGER, Service, comparable, listening, reference

ASKED: dict[str, Any] = EAGER | {"prefix": "import nu"}
BODY = json.dumps(ASKED).encode()
# The head that Java's HttpClient sends with its first request of a connection.
UPGRADING = b"""POST /complete HTTP/1.1\r
Connection: Upgrade, HTTP2-Settings\r
Host: 127.0.0.1\r
HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r
Upgrade: h2c\r
"""
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 4096


@pytest.fixture
async def service(options: dict[str, Any]) -> AsyncIterator[Service]:
    async with listening(**options, max_body_bytes=LIMIT) as started:
        yield started


@asynccontextmanager
async def connection(service: Service) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    url = service.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def head_of(reader: StreamReader) -> list[str]:
    """The lines of the next answer's head, in lower case."""
    return (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")


async def answer_of(reader: StreamReader) -> Any:
    head = await head_of(reader)
    assert head[0] == "http/1.1 200 ok"
    (size,) = (line.removeprefix("content-length: ") for line in head if "content-length" in line)
    return json.loads(await reader.readexactly(int(size)))


@pytest.mark.parametrize(
    "parts",
    [
        [UPGRADING + LENGTH + BODY],
        [UPGRADING + LENGTH, BODY],
        [UPGRADING[:70], UPGRADING[70:] + LENGTH + BODY[:5], BODY[5:]],
        [UPGRADING + CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)],
        [UPGRADING.replace(b"h2c", b"TLS/1.0") + LENGTH + BODY],
    ],
    ids=["whole", "head first", "in pieces", "chunked", "TLS"],
)
async def test_a_client_that_would_rather_speak_http_2_is_answered(
    service: Service, runtime: Runtime, parts: list[bytes]
) -> None:
    async with connection(service) as (reader, writer):
        for _ in range(2):
            for part in parts:
                writer.write(part)
                await writer.drain()
                # The service reads this part before the next one is sent.
                assert (await service.http.get("/livez")).status_code == 200
            assert comparable(await answer_of(reader)) == reference(runtime, "import nu")


async def test_two_requests_at_once_with_an_upgrade_are_both_answered(
    service: Service, runtime: Runtime
) -> None:
    async with connection(service) as (reader, writer):
        writer.write((UPGRADING + LENGTH + BODY) * 2)
        for _ in range(2):
            assert comparable(await answer_of(reader)) == reference(runtime, "import nu")


@pytest.mark.parametrize("kept", [b"", b"Connection: keep-alive\r\n"])
@pytest.mark.parametrize("path", ["/complete", "/infill", "/v1/completions"])
async def test_an_http_1_0_client_reads_a_stream_until_the_connection_ends(
    service: Service, path: str, kept: bytes
) -> None:
    asked = {
        "/complete": ASKED,
        "/infill": {"input_prefix": "import nu", "input_suffix": ""},
        "/v1/completions": {"prompt": "import nu", "seed": 1},
    }[path]
    body = json.dumps(asked | {"stream": True}).encode()
    async with connection(service) as (reader, writer):
        head = b"POST %s HTTP/1.0\r\n%sContent-Length: %d\r\n\r\n" % (
            path.encode(),
            kept,
            len(body),
        )
        writer.write(head + body)
        answered = await head_of(reader)
        events = (await reader.read()).decode()
    assert answered[0] == "http/1.1 200 ok"
    assert "connection: close" in answered
    assert not [line for line in answered if line.startswith("transfer-encoding")]
    assert events.startswith(("event: ", "data: "))
    assert events.endswith(("}\n\n", "data: [DONE]\n\n"))


async def test_an_http_1_0_client_gets_a_whole_answer_with_its_length(
    service: Service, runtime: Runtime
) -> None:
    async with connection(service) as (reader, writer):
        writer.write(b"POST /complete HTTP/1.0\r\n" + LENGTH + BODY)
        assert comparable(await answer_of(reader)) == reference(runtime, "import nu")
        assert await reader.read() == b""


async def test_a_connection_that_was_idle_for_a_minute_is_still_open(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = b"GET /models HTTP/1.1\r\nHost: a\r\n\r\n"
    loop = asyncio.get_running_loop()
    async with listening(**options) as service, connection(service) as (reader, writer):
        for passed in (0, 70, 140):
            monkeypatch.setattr(loop, "time", lambda passed=passed: time.monotonic() + passed)
            # The service closes what it holds to be idle for too long before it reads on.
            for _ in range(5):
                await asyncio.sleep(0)
            writer.write(request)
            assert await answer_of(reader)
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 220)
        assert await reader.read() == b""


@pytest.mark.parametrize("coding", ["gzip", "X-GZip", "gzip, identity"])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/complete", ASKED),
        ("/infill", {"input_prefix": "import nu", "input_suffix": ""}),
        ("/v1/completions", {"prompt": "import nu", "temperature": 0}),
    ],
)
async def test_a_body_in_gzip_is_answered_as_it_is_without(
    service: Service, path: str, asked: dict[str, Any], coding: str
) -> None:
    plain = await service.http.post(path, json=asked)
    packed = await service.http.post(
        path,
        content=gzip.compress(json.dumps(asked).encode()),
        headers={"content-encoding": coding},
    )
    assert packed.status_code == 200
    of_the_text = ("completion", "content", "choices")
    found, expected = packed.json(), plain.json()
    assert [found.get(name) for name in of_the_text] == [expected.get(name) for name in of_the_text]


async def test_a_body_in_gzip_may_come_in_small_pieces(service: Service, runtime: Runtime) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in gzip.compress(BODY):
            yield bytes([byte])

    headers = {"content-encoding": "gzip"}
    response = await service.http.post("/complete", content=pieces(), headers=headers)
    assert comparable(response.json()) == reference(runtime, "import nu")


async def test_an_encoding_that_changes_nothing_is_no_obstacle(service: Service) -> None:
    for coding in ("identity", ""):
        headers = {"content-encoding": coding}
        assert (await service.http.post("/complete", json=ASKED, headers=headers)).is_success
    assert (await service.http.get("/livez", headers={"content-encoding": "gzip"})).is_success


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "x" * 1000])
@pytest.mark.parametrize("path", ["/complete", "/v1/completions"])
async def test_a_body_in_another_encoding_is_refused_by_its_name(
    service: Service, path: str, coding: str
) -> None:
    headers = {"content-encoding": coding, "connection": "close"}
    response = await service.http.post(path, content=b"\x1b" * 10**6, headers=headers)
    assert response.status_code == (415 if path == "/complete" else 400)
    assert response.headers["accept-encoding"] == "gzip"
    message = response.json()["error"]["message"]
    assert coding[:100] in message
    assert "gzip" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    "text", [b"a" * 10**8, random.Random(1).randbytes(10**6).hex().encode()], ids=["bomb", "large"]
)
async def test_the_limit_of_a_body_holds_for_what_gzip_makes_of_it(
    service: Service, text: bytes
) -> None:
    packed = gzip.compress(b'{"prefix": "' + text + b'"}')
    headers = {"content-encoding": "gzip", "connection": "close"}
    response = await service.http.post("/complete", content=packed, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (413, "too_large", "prefix")
    just = json.dumps(ASKED | {"suffix": " " * (LIMIT - len(BODY) - 14)}).encode()
    for spaces, status in ((0, 200), (1, 413)):
        packed = gzip.compress(just + b" " * spaces)
        response = await service.http.post("/complete", content=packed, headers=headers)
        assert len(just) == LIMIT
        assert response.status_code == status


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        gzip.compress(BODY)[:-1],
        gzip.compress(BODY)[:15],
        gzip.compress(BODY) * 2,
        gzip.compress(BODY) + b"x",
        zlib.compress(BODY),
        gzip.compress(b"{"),
    ],
)
async def test_a_body_that_is_no_gzip_is_a_400_in_the_format(service: Service, body: bytes) -> None:
    headers = {"content-encoding": "gzip"}
    response = await service.http.post("/complete", content=body, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_json")
    assert error["field"] == "body"
