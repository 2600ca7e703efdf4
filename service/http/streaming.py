"""Streams: an answer's characters as they become certain, then the answer itself."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from service.completions import Chars, OnChars

Result = TypeVar("Result")

# How long the thread that computes waits for its first characters to be taken.
LONGEST_TURN_SECONDS = 0.0005
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Stream(Generic[Result]):
    """A computation that tells its characters as it goes.

    What is told and not yet read waits here: as much as one answer has, so that a reader who is
    slow, or never reads, holds back only himself.
    """

    def __init__(self, work: Callable[[OnChars], Coroutine[None, None, Result]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._told: deque[tuple[int, Chars]] = deque()
        self._news = asyncio.Event()
        self._waking = False
        self._begun = threading.Event()
        self._task = asyncio.create_task(work(self._tell))
        self._task.add_done_callback(self._ended)

    async def begin(self) -> None:
        """Returns when there is something to send; raises what the work fails with before that."""
        await self._news.wait()
        if self._task.done() and not self._told:
            self._task.result()

    async def pieces(self) -> AsyncIterator[tuple[int, Chars]]:
        """What is told, as it is told: the number of a text, and further characters of it."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._told:
                number, chars = self._told.popleft()
                while self._told and self._told[0][0] == number:
                    chars += self._told.popleft()[1]
                yield number, chars
                self._begun.set()
            if self._task.done() and not self._told:
                return

    def result(self) -> Result:
        """The result, once there are no more pieces; raises what the work failed with."""
        return self._task.result()

    def close(self) -> None:
        """Ends the work where it has not ended by itself."""
        self._task.cancel()

    def _ended(self, task: "asyncio.Task[Result]") -> None:
        if not task.cancelled():
            # Nobody may be left who asks for it.
            task.exception()
        self._news.set()

    def _tell(self, number: int, chars: Chars) -> None:
        self._told.append((number, chars))
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._wake)
        if not self._begun.is_set():
            # Python gives the loop no turn by itself while this thread computes on.
            self._begun.wait(LONGEST_TURN_SECONDS)
            self._begun.set()

    def _wake(self) -> None:
        # What is told after this wakes anew, and what was told before is read now.
        self._waking = False
        self._news.set()


class EventStream(EventSourceResponse):
    """A response of server-sent events; whatever ends it, its stream is closed.

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
            if not watching.done():
                raise
        finally:
            self._stream.close()
            watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        """Ends the work when the client goes."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()


def event(data: str, name: str | None = None) -> bytes:
    """One event with this text, of JSON as a rule, as its data."""
    return format_sse_event(data_str=data, event=name)


def streams(schema: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of its stream: this is the schema of an event's data."""
    return {200: {"content": {MEDIA_TYPE: {"itemSchema": dict(schema)}}}}
