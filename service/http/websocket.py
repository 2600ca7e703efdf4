"""The requests of POST /complete as messages of one WebSocket: the cheapest path for a typist.

A message is a request's body with an `id`; each message back has that `id` and says what it is in
`event`: `characters`, `completion` or `error`. Sessions are the same as over HTTP.
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.completions import Completions, OnChars
from service.errors import ForbiddenOrigin, InvalidJson, Overloaded, Problem, TooLarge
from service.http import error_format
from service.http.complete import characters, complete
from service.http.faults import problem_of
from service.http.schema import LARGEST_EXACT_INTEGER, Characters, CompleteRequest, CompleteResponse
from service.http.streaming import Stream

PATH = "/ws"
# So many requests of one connection may be unanswered, or their answers unread.
MOST_UNANSWERED = 256
LONGEST_ID = 128


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

    Each request is a task that computes and then sends. A reader who is slow holds back these
    tasks alone, and there are at most MOST_UNANSWERED of them.
    """

    def __init__(
        self, websocket: WebSocket, completions: Completions, tenant: str, limit: int
    ) -> None:
        """`limit` is how many bytes a message may have."""
        self._websocket = websocket
        self._completions = completions
        self._tenant = tenant
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answers messages until the client goes; all that still computes for it ends then."""
        if not _same_origin(self._websocket):
            refused = ForbiddenOrigin("web pages of other origins may not open a WebSocket here")
            await self._websocket.send_denial_response(error_format.respond(refused, PATH))
            return
        await self._websocket.accept()
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                await self._take(message.get("text"))
        finally:
            for task in self._tasks:
                task.cancel()

    async def _take(self, text: str | None) -> None:
        """Begins on a message. Requests begin in the order in which they arrive."""
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
            await self._fail(_id_of(text), error_format.invalid(first))
        except Exception as error:
            await self._fail(_id_of(text), problem_of(error))

    async def _complete(self, message: Message) -> None:
        def work(on_chars: OnChars | None) -> Coroutine[None, None, CompleteResponse]:
            return complete(self._completions, self._tenant, message, on_chars)

        if message.stream:
            stream = Stream(work)
            try:
                async for _, chars in stream.pieces():
                    piece = Characters(chars=characters(chars))
                    await self._send(message.id, "characters", piece.model_dump_json())
                answer = stream.result()
            finally:
                stream.close()
        else:
            answer = await work(None)
        await self._send(message.id, "completion", answer.model_dump_json())

    async def _fail(self, id_: Id | None, problem: Problem) -> None:
        _, body = error_format.body(problem, PATH)
        await self._send(id_, "error", json.dumps(body))

    async def _send(self, id_: Id | None, event: str, body: str) -> None:
        head = json.dumps({"id": id_, "event": event})
        try:
            await self._websocket.send_text(f"{head[:-1]}, {body[1:]}")
        except (WebSocketDisconnect, RuntimeError):
            # Nobody is left to tell; what is received next says so, and ends the connection.
            return

    def _check_size(self, text: str) -> None:
        if len(text) > self._limit or len(text.encode()) > self._limit:
            raise TooLarge(f"the message is over the limit of {self._limit} bytes", "body")


def _parsed(text: str | None) -> Any:
    """The JSON value of a message; raises InvalidJson where it is none."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        raise InvalidJson("the message is not JSON as text", "body") from None


def _id_of(text: str | None) -> Id | None:
    """The id of a message that may be wrong otherwise, so that its sender knows which one it is."""
    try:
        return _Identified.model_validate(_parsed(text)).id
    except (ValidationError, InvalidJson):
        return None


def _same_origin(websocket: WebSocket) -> bool:
    """Whether no web page asks, or one of this very address.

    Browsers let any page open a WebSocket to any address and read what it says (RFC 6455, 10.2).
    """
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
