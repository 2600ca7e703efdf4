"""The limit on the size of a request's body; a larger body is neither kept nor parsed."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import TooLarge
from service.http.error_format import ErrorFormats

# How many bytes of a body over the limit are read before it is answered; those over the limit are
# dropped.
MOST_DROPPED_BYTES = 128 * 2**20


class BodyLimit:
    """Middleware that answers a body over `limit` bytes with an error that names the long text.

    It passes other bodies to the application.
    """

    def __init__(self, app: ASGIApp, limit: int, formats: ErrorFormats) -> None:
        self._app = app
        self._limit = limit
        self._formats = formats
        self._fields = {name.encode(): field for name, field in formats.long_texts.items()}
        # Finds where a long text begins. The body was not kept to its end, so it cannot be parsed
        # as JSON. Inside a JSON string a quote has a backslash before it, so a name after a bare
        # quote is a field.
        self._long_text = re.compile(rb'(?<!\\)"(%s)"\s*:\s*"' % b"|".join(self._fields))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        size = 0
        more = True
        while more and size <= self._limit:
            message = await receive()
            if message["type"] != "http.request":
                return
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
        body: Message = {"type": "http.request", "body": b"".join(chunks), "more_body": False}
        if size > self._limit:
            # Some clients send everything before they read. Their body must be read to the end: if
            # the answer came earlier, the connection would be reset before they saw it.
            while more and size <= MOST_DROPPED_BYTES:
                message = await receive()
                if message["type"] != "http.request":
                    return
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
            error = self._too_large(body["body"])
            await self._formats.of(scope["path"]).respond(error)(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal body
            if body:
                read, body = body, {}
                return read
            return await receive()

        await self._app(scope, replay, send)

    def _too_large(self, body: bytes) -> TooLarge:
        begun = self._long_text.findall(body)
        field = self._fields[begun[-1]] if begun else "body"
        return TooLarge(f"{field}: the body is over the limit of {self._limit} bytes", field)
