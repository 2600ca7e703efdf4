"""Errors as HTTP: the one JSON format, whatever raised the error, and its part in OpenAPI.

The paths of other protocols answer in those protocols' forms.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.errors import CODES, RETRY_AFTER_SECONDS, Problem, ServiceError
from service.http.protocols import errors as forms

# What an unknown field's name may add to an answer.
LONGEST_FIELD = 100
FAULT = Problem("internal", "a fault of the service; its log says where")

log = logging.getLogger(__name__)


class ErrorDetail(BaseModel):
    """What was wrong, what was expected, what to do."""

    code: str = Field(description="One of the codes in this description's list.")
    message: str
    field: str | None = Field(None, description="The dotted name of the field at fault.")
    version: int | None = Field(None, description="With `resync`: the version held, or null.")


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "invalid_request",
                        "message": "edit.keep: Input should be greater than or equal to 0",
                        "field": "edit.keep",
                    }
                }
            ]
        }
    )

    error: ErrorDetail


def respond(error: ServiceError, path: str) -> Response:
    """The answer to a request of this path that met this error."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else None
    return _response(error.problem, path, headers)


def respond_to_fault(path: str) -> Response:
    """The answer when the service itself is at fault."""
    return _response(FAULT, path)


def body(problem: Problem, path: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error, in the form of the path."""
    if path in forms.LLAMA_CPP_PATHS:
        return forms.llama_cpp(problem)
    if path.startswith(forms.OPENAI_PATHS):
        return forms.openai(problem)
    detail: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.field:
        detail["field"] = problem.field
    return problem.status, {"error": detail | dict(problem.more)}


def install(app: FastAPI) -> None:
    """Makes every error of the framework answer in the format, too."""

    @app.exception_handler(ServiceError)
    async def _(request: Request, error: ServiceError) -> Response:
        return respond(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return _response(invalid(error.errors()[0]), request.url.path)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        return _response(_refused(request, error), request.url.path, error.headers)


def responses(path: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI entry of a path says of the errors that it can answer."""
    entries: dict[int | str, dict[str, Any]] = {}
    model = _model(path)
    for code in codes:
        status, _ = body(Problem(code, ""), path)
        said = f"`{code}`: {CODES[code].meaning}"
        before = entries.get(status)
        said = f"{before['description']} {said}" if before else said
        entries[status] = {"model": model, "description": said}
    return entries


def _model(path: str) -> type[BaseModel]:
    if path in forms.LLAMA_CPP_PATHS:
        return forms.LlamaCppErrorBody
    return forms.OpenAIErrorBody if path.startswith(forms.OPENAI_PATHS) else ErrorBody


def table() -> str:
    """All codes as a table in Markdown, for the description of the API."""
    rows = [f"| `{name}` | {code.status} | {code.meaning} |" for name, code in CODES.items()]
    return "\n".join(["| code | status | meaning |", "| --- | --- | --- |", *rows])


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
        said = f"this path does not know {request.method[:LONGEST_FIELD]}"
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
    return ".".join(parts)[:LONGEST_FIELD] or "body"


def _response(problem: Problem, path: str, headers: Mapping[str, str] | None = None) -> Response:
    status, detail = body(problem, path)
    return Response(
        # ASCII escapes: an unknown field's name may hold a lone surrogate, which UTF-8 cannot say.
        json.dumps(detail),
        status_code=status,
        headers=dict(headers) if headers else None,
        media_type="application/json",
    )
