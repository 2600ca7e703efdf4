"""HTTP/1 connections: uvicorn's, mended where clients trip over it.

uvicorn's other implementation, on h11, would do, but it answers a third as many requests.
"""

from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# How long a connection may be idle. This is longer than clients and proxies keep one by default. If
# the service closed it first, it might do so just when the next request is sent.
KEEP_ALIVE_SECONDS = 75


class ClientConnection(HttpToolsProtocol):
    """One client's connection.

    It ignores an upgrade to anything but a WebSocket, which every client must expect (RFC 9110,
    7.8), and sends no chunks to an HTTP/1.0 client, which cannot read them (RFC 9112, 6.1).
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parser = _Parser(self)

    @property
    def ignores_upgrade(self) -> bool:
        """Whether the request that the parser has read asks for an upgrade that is ignored."""
        asks = self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)
        return asks and not self._should_upgrade()

    def head_without_upgrade(self) -> bytes:
        """The head of the request that the parser has read, without its upgrade."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        lines += [b"%s: %s" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_headers_complete(self) -> None:
        if not self.ignores_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.ignores_upgrade:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = _without_chunks(cycle, app)
        super()._start_asgi_task(cycle, app)


class _Parser(httptools.HttpRequestParser):
    """A parser that reads on after a request whose upgrade its connection ignores.

    httptools takes what follows such a head for another protocol, the request's body too. So the
    head is parsed once more, without its upgrade.
    """

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    def feed_data(self, data: Any) -> None:
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._connection.ignores_upgrade:
                raise
            (end,) = upgrade.args
            self.feed_data(self._connection.head_without_upgrade() + data[end:])


def _without_chunks(cycle: RequestResponseCycle, app: ASGIApp) -> ASGIApp:
    """The application with answers that end where the connection ends, unless they have a length.

    uvicorn closes the connection of an HTTP/1.0 client after each answer.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        unframed = False

        async def send_unframed(message: Message) -> None:
            nonlocal unframed
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                unframed = all(name.lower() != b"content-length" for name, _ in headers)
                if unframed:
                    cycle.chunked_encoding = False
            elif unframed:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_unframed)

    return answer
