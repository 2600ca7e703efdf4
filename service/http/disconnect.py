"""Cancels the work for clients that have gone away."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from starlette.types import Receive

from service.errors import ClientGone

Result = TypeVar("Result")


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_gone(receive: Receive, work: Coroutine[None, None, Result]) -> Result:
    """The result of the work; if the client leaves first, cancels it and raises ClientGone."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone("the client left before its answer was ready")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
