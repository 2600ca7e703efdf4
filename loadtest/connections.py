"""Connections to a service that cost the client little: one loop drives thousands of typists.

A request of either kind takes about a tenth of a millisecond of the client's processor time, which
leaves most of a shared machine to the service. So they do only what the load test needs: the
service's own answers to `POST /complete` and to the same request as a message.
"""

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httptools
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri


class Reply(NamedTuple):
    """A status, 200 where all went well, and the answer or the error."""

    status: int
    body: dict[str, Any]


class TypistConnection(ABC):
    """How one typist asks. Requests may overlap."""

    @abstractmethod
    async def ask(self, body: dict[str, Any]) -> Reply:
        """The reply to a request for a suggestion; raises ConnectionError if it broke."""

    @abstractmethod
    def close(self) -> None:
        """Ends the connection."""


class HttpConnection(TypistConnection):
    """Connections that are kept and used again, as many as requests overlap."""

    def __init__(self, url: str, path: str = "/complete") -> None:
        self._host, self._port = _place(url)
        self._path = path
        self._idle: list[_HttpChannel] = []

    async def ask(self, body: dict[str, Any]) -> Reply:
        """The reply; a connection that the service has closed meanwhile is replaced."""
        while self._idle:
            channel = self._idle.pop()
            if channel.open:
                break
        else:
            loop = asyncio.get_running_loop()
            _, channel = await loop.create_connection(
                lambda: _HttpChannel(f"{self._host}:{self._port}", self._path),
                self._host,
                self._port,
            )
        reply = await channel.ask(json.dumps(body).encode())
        self._idle.append(channel)
        return reply

    def close(self) -> None:
        """Ends the connections that nobody waits for."""
        for channel in self._idle:
            channel.transport.close()


class _HttpChannel(asyncio.Protocol):
    """One connection with at most one request at a time."""

    transport: asyncio.Transport

    def __init__(self, netloc: str, path: str) -> None:
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {netloc}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self.open = False
        self._waiting: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the service hung up"))

    async def ask(self, body: bytes) -> Reply:
        self._waiting = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._waiting is not None
        if not self._waiting.done():
            status = self._parser.get_status_code()
            self._waiting.set_result(Reply(status, json.loads(self._body)))


class WebSocketConnection(asyncio.Protocol, TypistConnection):
    """One WebSocket; replies are told apart by their ids."""

    transport: asyncio.Transport

    def __init__(self, url: str) -> None:
        self._protocol = ClientProtocol(parse_uri(url))
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    @classmethod
    async def open(cls, url: str, path: str = "/ws") -> Self:
        """A connection to the service at this address; raises ConnectionError."""
        host, port = _place(url)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: cls(f"ws://{host}:{port}{path}"), host, port
        )
        await connection._opened
        return connection

    async def ask(self, body: dict[str, Any]) -> Reply:
        number = next(self._ids)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._protocol.send_text(json.dumps({"id": number} | body).encode())
        self._flush()
        return await future

    def close(self) -> None:
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        error = exc or ConnectionResetError("the service hung up")
        futures: list[asyncio.Future[Any]] = [self._opened, *self._waiting.values()]
        for future in futures:
            if not future.done():
                future.set_exception(error)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._opened.set_result(None)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._take(json.loads(bytes(event.data)))
        self._flush()

    def _take(self, message: dict[str, Any]) -> None:
        future = self._waiting.pop(message["id"])
        if not future.done():
            future.set_result(Reply(400 if message.get("event") == "error" else 200, message))

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)


def _place(url: str) -> tuple[str, int]:
    """The host and the port in an address that names both."""
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    return place.hostname, place.port
