"""Faults of the service itself: how they are logged, and that none of them reaches a client raw."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Problem, ServiceError, log_fault
from service.http.error_format import FAULT, respond_to_fault

log = logging.getLogger(__name__)


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error that ended its work; a fault of ours is logged."""
    if isinstance(error, ServiceError):
        return error.problem
    log_fault(log, error)
    return FAULT


class Faults:
    """Answers a fault of the application in the error format, and logs it without any text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log_fault(log, error)
            if not started:
                await respond_to_fault(scope["path"])(scope, receive, send)
