"""Clients that go away: what they asked for is given up at once."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from starlette.requests import Request

from service.errors import ClientGone

Result = TypeVar("Result")


async def unless_gone(request: Request, work: Coroutine[None, None, Result]) -> Result:
    """The work's result. When the client leaves first, the work is cancelled at once."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone("the client left before its answer was ready")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
