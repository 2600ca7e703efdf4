"""Whose turn it is: of the requests of one session, the newest takes the place of the older."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from service.errors import Superseded

Result = TypeVar("Result")


class Superseding:
    """At most one running request a session."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[object]] = {}

    async def take(self, session: str, work: Coroutine[None, None, Result]) -> Result:
        """Runs the work as the session's newest request, ending the one before at once.

        Raises Superseded when a newer request, or `end`, ended this one.
        """
        self.end(session)
        task = asyncio.create_task(work)
        self._running[session] = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._running.get(session) is task:
                raise
            raise Superseded("a newer request of this session took its place") from None
        finally:
            if self._running.get(session) is task:
                del self._running[session]

    def end(self, session: str) -> None:
        """Ends the session's running request, if there is one."""
        task = self._running.pop(session, None)
        if task is not None:
            task.cancel()
