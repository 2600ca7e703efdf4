"""Routes for what is asked at every keystroke: they parse a body and answer, and do no more."""

import json
from collections.abc import Awaitable, Callable
from email.message import Message
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

JSON = "application/json"
MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}

# Takes the parsed body, and the request.
Endpoint = Callable[[Any, Request], Awaitable[Response]]


class DirectRoute(APIRoute):
    """A route that the framework describes, but does not run.

    Its endpoint takes a `body`, whose type is a model, and the `request`, and returns a response.
    The framework's way through dependencies, exit stacks and a second validation of the response
    takes as long as all that the service itself does for a key. Errors are raised as the framework
    raises them.
    """

    def __init__(self, path: str, endpoint: Endpoint, **described: Any) -> None:
        super().__init__(path, endpoint, **described)
        adapter: TypeAdapter[Any] = TypeAdapter(get_type_hints(endpoint)["body"])

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            content = await request.body()
            body = _validated(adapter, content, request.headers.get("content-type"))
            response = await endpoint(body, request)
            await response(scope, receive, send)

        self.app = answer


def add_direct_route(app: FastAPI, path: str, endpoint: Endpoint, **described: Any) -> None:
    """Adds a DirectRoute for POST; the rest describes it, as for `app.post`."""
    app.router.add_api_route(
        path, endpoint, methods=["POST"], route_class_override=DirectRoute, **described
    )


def _validated(adapter: TypeAdapter[Any], content: bytes, declared: str | None) -> Any:
    if not content:
        raise RequestValidationError([MISSING])
    # A body that is declared as something else stays bytes, which no model takes.
    value: Any = content
    if not declared or declared == JSON or _is_json(declared):
        value = _parsed(content)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None


def _parsed(content: bytes) -> Any:
    """The JSON value of a body."""
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = {"type": "json_invalid", "loc": ("body", error.pos), "ctx": {"error": error.msg}}
        raise RequestValidationError([place]) from None
    except (ValueError, RecursionError):
        raise HTTPException(400) from None


def _is_json(declared: str) -> bool:
    message = Message()
    message["content-type"] = declared
    subtype = message.get_content_subtype()
    is_json = subtype == "json" or subtype.endswith("+json")
    return message.get_content_maintype() == "application" and is_json
