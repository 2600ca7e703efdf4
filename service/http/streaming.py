"""Streamed answers: characters as soon as they are certain, then the answer itself."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.completions import Chars, OnChars
from service.http.disconnect import disconnected, unless_gone

Result = TypeVar("Result")

# How long the scheduler's thread waits at most for the first characters to be read.
LONGEST_TURN_SECONDS = 0.0005
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
# JSON may contain these as they are, but many clients end a line wherever Unicode does. So events
# have JSON's escapes in their place.
LINE_ENDS = {end: f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}


class Stream(Generic[Result]):
    """A computation whose characters can be read while it goes on.

    Characters are held here until they are read. There are never more of them than one answer has,
    so the computation does not need to wait for a slow reader, or for one that never reads.
    """

    def __init__(self, work: Callable[[OnChars], Coroutine[None, None, Result]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._unread: deque[tuple[int, Chars]] = deque()
        self._news = asyncio.Event()
        self._waking = False
        self._begun = threading.Event()
        self._thread = threading.get_ident()
        self._task = asyncio.create_task(work(self._tell))
        self._task.add_done_callback(self._ended)

    async def begin(self) -> None:
        """Returns when there is something to send; raises the work's error if it failed before."""
        await self._news.wait()
        if self._task.done() and not self._unread:
            self._task.result()

    async def pieces(self) -> AsyncIterator[tuple[int, Chars]]:
        """Characters as they come: the number of a completion, and further characters of it."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unread:
                number, chars = self._unread.popleft()
                # Characters that have gathered for one completion are sent as one piece.
                while self._unread and self._unread[0][0] == number:
                    chars += self._unread.popleft()[1]
                yield number, chars
                self._begun.set()
            if self._task.done() and not self._unread:
                return

    def result(self) -> Result:
        """The result, once there are no more pieces; raises the work's error if it failed."""
        return self._task.result()

    def close(self) -> None:
        """Cancels the work if it has not ended."""
        self._task.cancel()

    def _ended(self, task: "asyncio.Task[Result]") -> None:
        if not task.cancelled():
            # Reading the exception keeps asyncio from reporting it if nobody reads the result.
            task.exception()
        self._news.set()

    def _tell(self, number: int, chars: Chars) -> None:
        self._unread.append((number, chars))
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._wake)
        if not self._begun.is_set() and threading.get_ident() != self._thread:
            # This is the scheduler's thread, which holds the interpreter's lock while it computes.
            # Without this wait, the event loop would send the first characters only when the lock
            # is next released. Waiting releases it.
            self._begun.wait(LONGEST_TURN_SECONDS)
            self._begun.set()

    def _wake(self) -> None:
        # Cleared first, so that characters which come after this line wake the event loop again.
        self._waking = False
        self._news.set()


class EventStream(EventSourceResponse):
    """A response of server-sent events. It always closes its stream when it ends.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self, stream: Stream[Any], events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers=HEADERS)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(self._watch(receive))
        try:
            await self._stream.begin()
            await self.stream_response(send)
        except asyncio.CancelledError:
            # If the client has left, `_watch` cancelled the work, and nobody waits for an answer.
            if not watching.done():
                raise
        finally:
            self._stream.close()
            watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        await disconnected(receive)
        self._stream.close()


async def respond(
    request: Request,
    streamed: bool | None,
    work: Callable[[OnChars | None], Coroutine[None, None, Result]],
    events: Callable[[Stream[Result]], AsyncIterator[bytes]],
    whole: Callable[[Result], Response],
) -> Response:
    """The answer to a request: a stream of `events`, or the response that `whole` makes.

    The work is cancelled if the client leaves.
    """
    if streamed:
        stream = Stream(work)
        return EventStream(stream, events(stream))
    return whole(await unless_gone(request.receive, work(None)))


def event(data: str, name: str | None = None) -> bytes:
    """One server-sent event. The data is JSON, except in OpenAI's last event."""
    for end, escaped in LINE_ENDS.items():
        data = data.replace(end, escaped)
    return format_sse_event(data_str=data, event=name)


def streams(schema: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """The stream of a route, for its OpenAPI entry; its events have this schema."""
    return {200: {"content": {MEDIA_TYPE: {"itemSchema": dict(schema)}}}}
