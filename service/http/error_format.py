"""Errors over HTTP: the error format of each protocol, and messages for the framework's errors.

Every error becomes a Problem, which is written in the format of the path's protocol. Faults of the
service itself are logged without typed text, and answered as `internal`.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import CODES, RETRY_AFTER_SECONDS, Problem, ServiceError, log_fault

# An error repeats at most this many characters of a client's input: the name of an unknown field,
# or a method.
LONGEST_REPEATED = 100
FAULT = Problem("internal", "a fault of the service; its log says where")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ErrorFormat:
    """How one protocol reports errors to its clients.

    `render` makes the status and the body for a problem, and `model` describes that body in
    OpenAPI. `long_texts` are the fields that can make a body too large: it maps their names in JSON
    to the dotted names that errors use. `paths` are the paths with this format; a path that ends in
    a slash stands for all paths below it.
    """

    render: Callable[[Problem], tuple[int, dict[str, Any]]]
    model: type[BaseModel]
    long_texts: Mapping[str, str]
    paths: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Whether errors at this path have this format."""
        return any(
            path.startswith(each) if each.endswith("/") else path == each for each in self.paths
        )

    def respond(self, error: ServiceError) -> Response:
        """The response for this error."""
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else None
        return self.respond_to(error.problem, headers)

    def respond_to(self, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        """The response for this problem."""
        status, body = self.render(problem)
        return Response(
            # Written with ASCII escapes, because the name of an unknown field may contain a lone
            # surrogate, which UTF-8 cannot encode.
            json.dumps(body),
            status_code=status,
            headers=dict(headers) if headers else None,
            media_type="application/json",
        )

    def responses(self, *codes: str) -> dict[int | str, dict[str, Any]]:
        """The errors that a route can answer with, for its OpenAPI entry."""
        entries: dict[int | str, dict[str, Any]] = {}
        for code in codes:
            status, _ = self.render(Problem(code, ""))
            said = f"`{code}`: {CODES[code].meaning}"
            before = entries.get(status)
            said = f"{before['description']} {said}" if before else said
            entries[status] = {"model": self.model, "description": said}
        return entries


class ErrorFormats:
    """The formats of all protocols by path; all other paths have the service's `own` format."""

    def __init__(self, own: ErrorFormat, others: Sequence[ErrorFormat]) -> None:
        self._own = own
        self._others = tuple(others)

    def of(self, path: str) -> ErrorFormat:
        """The format of errors at this path."""
        return next((each for each in self._others if each.covers(path)), self._own)

    @property
    def long_texts(self) -> dict[str, str]:
        """The long texts of all protocols, by their names in JSON."""
        formats = (self._own, *self._others)
        return {name: field for each in formats for name, field in each.long_texts.items()}


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


def install(app: FastAPI, formats: ErrorFormats) -> None:
    """Makes the app answer errors of requests and of the framework in the format of the path."""

    @app.exception_handler(ServiceError)
    async def _(request: Request, error: ServiceError) -> Response:
        return formats.of(request.url.path).respond(error)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return formats.of(request.url.path).respond_to(invalid(error.errors()[0]))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        problem = _refused(request, error)
        return formats.of(request.url.path).respond_to(problem, error.headers)


def invalid(error: Mapping[str, Any]) -> Problem:
    """The problem that a client is told for one of pydantic's errors; it never quotes the input."""
    context = error.get("ctx", {})
    if error["type"] == "json_invalid":
        place = (
            f"{context.get('error', 'damaged').removesuffix(' at')} at character {error['loc'][-1]}"
        )
        return Problem("invalid_json", f"the body is not JSON: {place}", "body")
    if isinstance(error.get("input"), bytes):
        said = "the body is declared as something else than JSON; send application/json"
        return Problem("unsupported_media_type", said, "body")
    field = context.get("field") or _dotted(error["loc"])
    code = "not_supported" if error["type"] == "neutral" else "invalid_request"
    return Problem(code, f"{field}: {_MESSAGES.get(error['type'], error['msg'])}", field)


def _refused(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem("not_found", "there is nothing at this path")
    if error.status_code == 405:
        said = f"this path does not know {request.method[:LONGEST_REPEATED]}"
        return Problem("method_not_allowed", said)
    if error.status_code == 400:
        return Problem("invalid_json", "the body cannot be read as JSON in UTF-8", "body")
    log.error("an HTTP error of the framework that no code is for: %d", error.status_code)
    return FAULT


_MESSAGES = {
    "extra_forbidden": "there is no such field",
    "string_unicode": "expected text without lone surrogates",
    "string_pattern_mismatch": "expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -",
    "model_attributes_type": "expected a JSON object",
    "model_type": "expected a JSON object",
    "missing": "expected, but missing",
}


def _dotted(location: tuple[str | int, ...]) -> str:
    parts = [str(part) for part in location if part not in ("body", "path")]
    return ".".join(parts)[:LONGEST_REPEATED] or "body"
