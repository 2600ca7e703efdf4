"""The limit on a request's body: what is over it is never kept, parsed or waited for."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.error_format import respond
from service.errors import TooLarge

# The texts that can be long, as they begin in a body that was not read to its end. A quote inside
# a JSON string has a backslash before it.
_LONG_TEXT = re.compile(rb'(?<!\\)"(prefix|append|suffix)"\s*:\s*"')
_FIELDS = {b"prefix": "prefix", b"append": "edit.append", b"suffix": "suffix"}


class BodyLimit:
    """Answers 413 as soon as a body is over the limit; other bodies go on to the application."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

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
            # The connection stays open and the server drops the rest as it comes in: closed now, it
            # would be reset, and many clients would never see the answer.
            await respond(_too_large(body["body"], self._limit))(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal body
            if body:
                read, body = body, {}
                return read
            return await receive()

        await self._app(scope, replay, send)


def _too_large(body: bytes, limit: int) -> TooLarge:
    begun = _LONG_TEXT.findall(body)
    field = _FIELDS[begun[-1]] if begun else "body"
    return TooLarge(f"{field}: the body is over the limit of {limit} bytes", field)
