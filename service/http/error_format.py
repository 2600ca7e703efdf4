"""Errors as HTTP: the format that each protocol has for them, and what the framework's errors say.

Whatever went wrong becomes a Problem, which is told in the format of the path's protocol.
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

from service.errors import CODES, RETRY_AFTER_SECONDS, Problem, ServiceError

# How many characters of what a client sent an error may repeat: an unknown field's name, a method.
LONGEST_REPEATED = 100
FAULT = Problem("internal", "a fault of the service; its log says where")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ErrorFormat:
    """How one protocol tells its clients of errors.

    `render` makes the status and the body of a problem, and `model` describes that body in OpenAPI.
    `long_texts` are the fields that can make a body too large: their names in JSON, and the dotted
    names that clients are told. `paths` answer in this format; one that ends in a slash stands for
    all paths below it.
    """

    render: Callable[[Problem], tuple[int, dict[str, Any]]]
    model: type[BaseModel]
    long_texts: Mapping[str, str]
    paths: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Whether the path is one of this format's."""
        return any(
            path.startswith(each) if each.endswith("/") else path == each for each in self.paths
        )

    def respond(self, error: ServiceError) -> Response:
        """The answer to a request that met this error."""
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else None
        return self.respond_to(error.problem, headers)

    def respond_to(self, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        """The answer that tells of this problem."""
        status, body = self.render(problem)
        return Response(
            # ASCII escapes: an unknown field's name may hold a lone surrogate, which UTF-8 lacks.
            json.dumps(body),
            status_code=status,
            headers=dict(headers) if headers else None,
            media_type="application/json",
        )

    def responses(self, *codes: str) -> dict[int | str, dict[str, Any]]:
        """What a route's OpenAPI entry says of the errors that it can answer with."""
        entries: dict[int | str, dict[str, Any]] = {}
        for code in codes:
            status, _ = self.render(Problem(code, ""))
            said = f"`{code}`: {CODES[code].meaning}"
            before = entries.get(status)
            said = f"{before['description']} {said}" if before else said
            entries[status] = {"model": self.model, "description": said}
        return entries


class ErrorFormats:
    """The formats of all protocols, found by path; all other paths have the service's `own`."""

    def __init__(self, own: ErrorFormat, others: Sequence[ErrorFormat]) -> None:
        self._own = own
        self._others = tuple(others)

    def of(self, path: str) -> ErrorFormat:
        """The format in which this path answers."""
        return next((each for each in self._others if each.covers(path)), self._own)

    @property
    def long_texts(self) -> dict[str, str]:
        """The long texts of all protocols, by their names in JSON."""
        formats = (self._own, *self._others)
        return {name: field for each in formats for name, field in each.long_texts.items()}


def install(app: FastAPI, formats: ErrorFormats) -> None:
    """Makes the errors of requests and of the framework answer in the format of their path."""

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
    """What one of pydantic's errors says to a client; it never quotes what was sent."""
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
