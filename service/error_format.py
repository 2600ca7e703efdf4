"""Errors as HTTP: the one JSON format, whatever raised the error, and its part in OpenAPI."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.errors import CODES, RETRY_AFTER_SECONDS, Resync, ServiceError

# What an unknown field's name may add to an answer.
LONGEST_FIELD = 100


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


def respond(error: ServiceError) -> Response:
    """The answer to a request that met this error."""
    version = {"version": error.version} if isinstance(error, Resync) else {}
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retry else None
    return _response(error.code, error.message, error.field, version, headers)


def respond_to_fault() -> Response:
    """The answer when the service itself is at fault."""
    return _response("internal", "a fault of the service; its log says where")


def install(app: FastAPI) -> None:
    """Makes every error of the framework answer in the format, too."""

    @app.exception_handler(ServiceError)
    async def _(_: Request, error: ServiceError) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        return _invalid(error.errors()[0])

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return _response("not_found", "there is nothing at this path")
        if error.status_code == 405:
            said = f"this path does not know {request.method[:LONGEST_FIELD]}"
            return _response("method_not_allowed", said, headers=error.headers)
        if error.status_code == 400:
            return _response("invalid_json", "the body cannot be read as JSON in UTF-8", "body")
        return _response("internal", str(error.detail), status=error.status_code)


def responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of the errors that it can answer."""
    entries: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status = CODES[code].status
        said = f"`{code}`: {CODES[code].meaning}"
        before = entries.get(status)
        said = f"{before['description']} {said}" if before else said
        entries[status] = {"model": ErrorBody, "description": said}
    return entries


def table() -> str:
    """All codes as a table in Markdown, for the description of the API."""
    rows = [f"| `{name}` | {code.status} | {code.meaning} |" for name, code in CODES.items()]
    return "\n".join(["| code | status | meaning |", "| --- | --- | --- |", *rows])


def _invalid(error: Mapping[str, Any]) -> Response:
    """The answer to one of pydantic's errors; it never quotes what was sent."""
    context = error.get("ctx", {})
    if error["type"] == "json_invalid":
        place = (
            f"{context.get('error', 'damaged').removesuffix(' at')} at character {error['loc'][-1]}"
        )
        return _response("invalid_json", f"the body is not JSON: {place}", "body")
    if isinstance(error.get("input"), bytes):
        said = "the body is declared as something else than JSON; send application/json"
        return _response("unsupported_media_type", said, "body")
    field = context.get("field") or _dotted(error["loc"])
    code = "not_supported" if error["type"] == "not_supported" else "invalid_request"
    said = f"{field}: {_MESSAGES.get(error['type'], error['msg'])}"
    return _response(code, said, field)


_MESSAGES = {
    "extra_forbidden": "there is no such field",
    "string_unicode": "expected text without lone surrogates",
    "string_pattern_mismatch": "expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -",
    "model_attributes_type": "expected a JSON object",
    "missing": "expected, but missing",
}


def _dotted(location: tuple[str | int, ...]) -> str:
    parts = [str(part) for part in location if part not in ("body", "path")]
    return ".".join(parts)[:LONGEST_FIELD] or "body"


def _response(
    code: str,
    message: str,
    field: str | None = None,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response:
    # ASCII escapes: an unknown field's name may hold a lone surrogate, which UTF-8 cannot say.
    detail = {"code": code, "message": message} | ({"field": field} if field else {})
    body = json.dumps({"error": detail | dict(more or {})})
    return Response(
        body,
        status_code=status or CODES[code].status,
        headers=dict(headers) if headers else None,
        media_type="application/json",
    )
