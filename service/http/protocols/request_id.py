"""The header `x-request-id`: an answer has the request's own, or a new one where it has none."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAME = b"x-request-id"
# A value of other bytes, or a longer one, is not repeated.
VALUE = re.compile(rb"[!-~]{1,128}")


class RequestId:
    """Middleware that gives each answer over HTTP its identifier, as OpenAI's API does.

    A client or a proxy finds an answer by it in its own log. This service does not log it, because
    a client chooses it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == NAME), b"")
        value = sent.decode() if VALUE.fullmatch(sent) else f"req_{secrets.token_hex(16)}"

        async def identified_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[NAME.decode()] = value
            await send(message)

        await self._app(scope, receive, identified_send)
