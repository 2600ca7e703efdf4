"""Cancels the work for clients that have gone away."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from starlette.types import Receive

from service.errors import ClientGone

Result = TypeVar("Result")

# A client is watched from so many seconds on. Most work is done earlier, and a task that watches
# costs more than what is left to save of it.
WATCH_AFTER_SECONDS = 0.005


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_gone(receive: Receive, work: Coroutine[None, None, Result]) -> Result:
    """The result of the work, done in this task; if the client leaves first, it is cancelled.

    Then ClientGone is raised.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    watching: asyncio.Task[None] | None = None
    gone = False

    async def watch() -> None:
        nonlocal gone
        await disconnected(receive)
        gone = True
        task.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    timer = loop.call_later(WATCH_AFTER_SECONDS, begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise ClientGone("the client left before its answer was ready") from None
    finally:
        timer.cancel()
        if watching is not None:
            watching.cancel()
