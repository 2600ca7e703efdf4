"""Faults of the service itself: they are logged without typed text and answered as `internal`."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Problem, ServiceError, log_fault
from service.http.error_format import FAULT, ErrorFormats

log = logging.getLogger(__name__)


def problem_of(error: Exception) -> Problem:
    """What a client is told about an error in its work; a fault of the service is logged."""
    if isinstance(error, ServiceError):
        return error.problem
    log_fault(log, error)
    return FAULT


class Faults:
    """Middleware that logs what the application raises, and answers in the format of the path.

    If the response has already begun, it only logs the fault.
    """

    def __init__(self, app: ASGIApp, formats: ErrorFormats) -> None:
        self._app = app
        self._formats = formats

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
                await self._formats.of(scope["path"]).respond_to(FAULT)(scope, receive, send)
