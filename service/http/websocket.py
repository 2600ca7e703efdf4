"""The requests of POST /complete as messages of a WebSocket, which costs least per keystroke.

A message is the body of a request with an `id`. Each message back has that `id`, and an `event`
that says what it is: `characters`, `completion` or `error`. Sessions are the same as over HTTP.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from pydantic import BaseModel, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError, to_json
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.completions import Completions
from service.errors import ForbiddenOrigin, InvalidJson, Overloaded, Problem, TooLarge
from service.http.complete import complete, piece_json
from service.http.error_format import invalid, problem_of
from service.http.own_errors import OWN_ERRORS
from service.http.schema import LARGEST_EXACT_INTEGER, CompleteRequest
from service.http.streaming import Stream
from service.resources import TENANT, Resources

# How many requests of one connection may be unanswered, or have unread answers, at the same time.
MOST_UNANSWERED = 256
LONGEST_ID = 128


def add_routes(app: FastAPI, resources: Callable[[], Resources], limit: int) -> None:
    """Adds the route, whose messages may have at most `limit` bytes.

    `resources` returns the Resources, which exist once the app has started.
    """

    @app.websocket("/ws")
    async def websocket(websocket: WebSocket) -> None:
        """The same requests as messages."""
        await Connection(websocket, resources().completions, TENANT, limit).serve()


def _identifying(value: Any) -> int | str:
    exact = isinstance(value, int) and not isinstance(value, bool)
    if exact and abs(value) <= LARGEST_EXACT_INTEGER:
        return int(value)
    if isinstance(value, str) and len(value) <= LONGEST_ID:
        return value
    raise PydanticCustomError("id", "expected an integer, or a text of at most 128 characters")


Id = Annotated[int | str, PlainValidator(_identifying)]


class Message(CompleteRequest):
    """A request over a WebSocket."""

    id: Id


class _Identified(BaseModel):
    id: Id


class Connection:
    """One client's WebSocket, with any number of sessions.

    Each request is a task that computes and then sends. A client that reads slowly delays only the
    tasks of its own connection. There are at most MOST_UNANSWERED of them.
    """

    def __init__(
        self, websocket: WebSocket, completions: Completions, tenant: str, limit: int
    ) -> None:
        """`limit` is the largest size of a message, in bytes."""
        self._websocket = websocket
        self._completions = completions
        self._tenant = tenant
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answers messages until the client leaves, and then cancels its running requests."""
        if not _same_origin(self._websocket):
            refused = ForbiddenOrigin("web pages of other origins may not open a WebSocket here")
            await self._websocket.send_denial_response(OWN_ERRORS.respond(refused))
            return
        await self._websocket.accept()
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                await self._take(message.get("text"))
        finally:
            for task in self._tasks:
                task.cancel()

    async def _take(self, text: str | None) -> None:
        """Starts the work on a message. Messages are started in the order in which they arrive."""
        if len(self._tasks) >= MOST_UNANSWERED:
            full = Overloaded(f"{MOST_UNANSWERED} requests of this connection are unanswered")
            await self._fail(_id_of(text), full.problem)
            return
        task = asyncio.create_task(self._answer(text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, text: str | None) -> None:
        try:
            self._check_size(text or "")
            await self._complete(Message.model_validate(_parsed(text)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            await self._fail(_id_of(text), invalid(first))
        except Exception as error:
            await self._fail(_id_of(text), problem_of(error))

    async def _complete(self, message: Message) -> None:
        work = partial(complete, self._completions, self._tenant, message)
        if message.stream:
            stream = Stream(work)
            try:
                async for _, chars in stream.pieces():
                    await self._send(message.id, "characters", piece_json(chars))
                answer = stream.result()
            finally:
                stream.close()
        else:
            answer = await work()
        await self._send(message.id, "completion", to_json(answer).decode())

    async def _fail(self, id_: Id | None, problem: Problem) -> None:
        _, body = OWN_ERRORS.render(problem)
        await self._send(id_, "error", json.dumps(body))

    async def _send(self, id_: Id | None, event: str, body: str) -> None:
        head = json.dumps({"id": id_, "event": event})
        try:
            await self._websocket.send_text(f"{head[:-1]}, {body[1:]}")
        except (WebSocketDisconnect, RuntimeError):
            # The client has gone. The next call of `receive` will say so, and `serve` will end.
            return

    def _check_size(self, text: str) -> None:
        if len(text) > self._limit or len(text.encode()) > self._limit:
            raise TooLarge(f"the message is over the limit of {self._limit} bytes", "body")


def _parsed(text: str | None) -> Any:
    """The JSON value of a message; raises InvalidJson for anything else."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        raise InvalidJson("the message is not JSON as text", "body") from None


def _id_of(text: str | None) -> Id | None:
    """The id of a message that may be invalid, so that an error can name it; None without one."""
    try:
        return _Identified.model_validate(_parsed(text)).id
    except (ValidationError, InvalidJson):
        return None


def _same_origin(websocket: WebSocket) -> bool:
    """Whether the client is not a web page, or is a page from this service's own address.

    Browsers let any page open a WebSocket to any address and read its messages (RFC 6455, 10.2).
    """
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
