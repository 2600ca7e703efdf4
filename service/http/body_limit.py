"""The limit on a request's body: what is over it is never kept, parsed or waited for."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import TooLarge
from service.http.error_format import respond

# The texts that can be long, as they begin in a body that was not read to its end. A quote inside
# a JSON string has a backslash before it.
_FIELDS = {
    b"prefix": "prefix",
    b"append": "edit.append",
    b"suffix": "suffix",
    b"prompt": "prompt",
    b"input_prefix": "input_prefix",
    b"input_suffix": "input_suffix",
    b"text": "input_extra",
}
_LONG_TEXT = re.compile(rb'(?<!\\)"(%s)"\s*:\s*"' % b"|".join(_FIELDS))
# How much more of a body over the limit is read, and dropped, before it is answered.
_DROPPED = 128 * 2**20


class BodyLimit:
    """Answers 413 to a body over the limit; other bodies go on to the application."""

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
            # A client that closes after one request reads nothing before it has sent everything:
            # were it answered now, its connection would be reset and the answer never seen.
            while more and size <= _DROPPED:
                message = await receive()
                if message["type"] != "http.request":
                    return
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
            await respond(_too_large(body["body"], self._limit), scope["path"])(
                scope, receive, send
            )
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
