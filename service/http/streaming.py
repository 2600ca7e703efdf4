"""Answers as streams: characters as they become certain, then the answer itself."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from service.completions import Chars, OnChars
from service.http.disconnect import disconnected, unless_gone

Result = TypeVar("Result")

# How long the thread that computes waits until its first characters are read.
LONGEST_TURN_SECONDS = 0.0005
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Stream(Generic[Result]):
    """A computation whose characters can be read while it goes on.

    Characters wait here until they are read. There are never more of them than one answer has, so
    the computation need not wait for a slow reader, nor for one who never reads.
    """

    def __init__(self, work: Callable[[OnChars], Coroutine[None, None, Result]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._unread: deque[tuple[int, Chars]] = deque()
        self._news = asyncio.Event()
        self._waking = False
        self._begun = threading.Event()
        self._task = asyncio.create_task(work(self._tell))
        self._task.add_done_callback(self._ended)

    async def begin(self) -> None:
        """Returns when there is something to send; raises what the work failed with before that."""
        await self._news.wait()
        if self._task.done() and not self._unread:
            self._task.result()

    async def pieces(self) -> AsyncIterator[tuple[int, Chars]]:
        """The characters as they come: the number of a text, and further characters of it."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unread:
                number, chars = self._unread.popleft()
                # What has gathered for one text goes out as one piece.
                while self._unread and self._unread[0][0] == number:
                    chars += self._unread.popleft()[1]
                yield number, chars
                self._begun.set()
            if self._task.done() and not self._unread:
                return

    def result(self) -> Result:
        """The result, once there are no more pieces; raises what the work failed with."""
        return self._task.result()

    def close(self) -> None:
        """Cancels the work if it has not ended."""
        self._task.cancel()

    def _ended(self, task: "asyncio.Task[Result]") -> None:
        if not task.cancelled():
            # Where nobody is left to read the result, asyncio would warn of an exception unread.
            task.exception()
        self._news.set()

    def _tell(self, number: int, chars: Chars) -> None:
        self._unread.append((number, chars))
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._wake)
        if not self._begun.is_set():
            # This thread computes on with the interpreter's lock in hand, and the event loop would
            # send the first characters only when the lock is next passed on. Waiting releases it.
            self._begun.wait(LONGEST_TURN_SECONDS)
            self._begun.set()

    def _wake(self) -> None:
        # Cleared first: characters that come from here on ask to be woken again.
        self._waking = False
        self._news.set()


class EventStream(EventSourceResponse):
    """A response of server-sent events, which closes its stream however it ends.

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
            # Where the client has left, its stream was cancelled, and nobody waits for an answer.
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
    whole: Callable[[Result], Any] = lambda result: result,
) -> Any:
    """The answer to a request: a stream of `events`, or the `whole` result of the work as a body.

    The work is cancelled when the client leaves.
    """
    if streamed:
        stream = Stream(work)
        return EventStream(stream, events(stream))
    return whole(await unless_gone(request.receive, work(None)))


def event(data: str, name: str | None = None) -> bytes:
    """One event with this data, which is JSON as a rule."""
    return format_sse_event(data_str=data, event=name)


def streams(schema: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of its stream, whose events have this schema."""
    return {200: {"content": {MEDIA_TYPE: {"itemSchema": dict(schema)}}}}
