"""`POST /complete`, this service's own protocol: questions from bodies, and bodies from answers."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from pydantic_core import to_json
from starlette.responses import Response

from model.decoding.next_step import next_characters
from service.completions import Answer, Chars, Completions, OnChars, Question
from service.http.answer_form import answer_form, characters
from service.http.direct import JSON, add_direct_route
from service.http.error_format import problem_of
from service.http.own_errors import OWN_ERRORS
from service.http.schema import CompleteRequest, CompleteResponse
from service.http.streaming import Stream, event, respond, streams
from service.resources import TENANT, Resources
from service.sessions.rules import TextEdit, WholeText

STREAM = {
    "type": "object",
    "properties": {
        "event": {"enum": ["characters", "completion", "error"]},
        "data": {
            "type": "string",
            "description": "JSON: `{chars}`, or the answer as without `stream`, or the error.",
        },
    },
}
ERRORS = (
    "invalid_json",
    "unknown_model",
    "resync",
    "superseded",
    "too_large",
    "unsupported_media_type",
    "invalid_request",
    "overloaded",
    "store_unavailable",
)


def add_routes(app: FastAPI, resources: Callable[[], Resources]) -> None:
    """Adds the route; `resources` returns the Resources, which exist once the app has started."""

    async def post_complete(body: CompleteRequest, request: Request) -> Response:
        """One request a keystroke; a newer one of the same session ends the older.

        With `stream` the answer is server-sent events: `characters` as they become certain, then
        the `completion`, or an `error` where something went wrong after the first characters.
        """
        work = partial(complete, resources().completions, TENANT, body)
        return await respond(request, body.stream, work, events, json_response)

    add_direct_route(
        app,
        "/complete",
        post_complete,
        summary="Complete the text before the cursor",
        response_model=CompleteResponse,
        responses=streams(STREAM) | OWN_ERRORS.responses(*ERRORS),
    )


async def complete(
    completions: Completions,
    tenant: str,
    request: CompleteRequest,
    on_chars: OnChars | None = None,
) -> dict[str, Any]:
    """The answer to one keystroke, in the form of CompleteResponse.

    Raises a ServiceError if it cannot be answered. `on_chars` is called with characters as soon as
    they are certain.
    """
    session = request.session or secrets.token_urlsafe(16)
    answer = await completions.answer(tenant, session, _question(request, on_chars))
    return _response(session, answer, request.top)


def json_response(answer: dict[str, Any]) -> Response:
    """The response with an answer, which is not validated: tests hold it to its form."""
    return Response(to_json(answer), media_type=JSON)


async def events(stream: Stream[dict[str, Any]]) -> AsyncIterator[bytes]:
    """The stream as server-sent events: characters, then the answer or the error."""
    async for _, chars in stream.pieces():
        yield event(piece_json(chars), "characters")
    try:
        yield event(to_json(stream.result()).decode(), "completion")
    except Exception as error:
        _, body = OWN_ERRORS.render(problem_of(error))
        yield event(json.dumps(body), "error")


def piece_json(chars: Chars) -> str:
    """Further characters of an answer, as a stream or a WebSocket sends them."""
    return to_json({"chars": characters(chars)}).decode()


def _question(request: CompleteRequest, on_chars: OnChars | None) -> Question:
    edit = request.edit
    return Question(
        change=TextEdit(edit.version, edit.keep, edit.append)
        if edit is not None
        else WholeText(request.prefix or ""),
        options=(request.options,),
        model=request.model,
        top=request.top,
        on_chars=on_chars,
        text_field="edit.append" if edit is not None else "prefix",
    )


def _response(session: str, answer: Answer, top: int) -> dict[str, Any]:
    """The answer to a request that asked for `top` next characters."""
    (computed,) = answer.computed
    following: tuple[tuple[str, float], ...] = ()
    if computed.next is not None:
        likely = next_characters(answer.runtime.vocabulary, computed.next, top)
        following = answer.form.following(likely)
    form = answer_form(
        answer.length,
        computed.completion,
        computed.alternatives,
        following,
        answer.runtime.checkpoint.name,
    )
    return {
        "session": session,
        "version": answer.version,
        **form,
        "usage": {
            "characters_absorbed": answer.absorbed,
            "steps_computed": computed.steps_computed,
            "steps_reused": computed.steps_reused,
        },
        "degraded": not answer.stored,
    }
