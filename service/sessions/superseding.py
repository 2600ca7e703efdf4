"""Superseding: the newest request of a session ends the one that is still running."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import Superseded

Result = TypeVar("Result")


class Superseding:
    """The running request of each session; there is at most one."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def run(self, session: str, work: Coroutine[None, None, Result]) -> Result:
        """Runs the work in this task as the session's newest request; the previous one ends.

        Raises Superseded if this request is ended by a newer one or by `end`.
        """
        self.end(session)
        task = asyncio.current_task()
        assert task is not None
        self._running[session] = task
        try:
            return await work
        except asyncio.CancelledError:
            # `end` removes a request from `_running` before it cancels it. If this request is still
            # there, its own caller has cancelled it, because the client has gone.
            if self._running.get(session) is task:
                raise
            task.uncancel()
            raise Superseded("a newer request of this session took its place") from None
        finally:
            if self._running.get(session) is task:
                del self._running[session]

    def end(self, session: str) -> None:
        """Ends the session's running request, if there is one."""
        task = self._running.pop(session, None)
        if task is not None:
            task.cancel()
