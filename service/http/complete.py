"""`POST /complete`, this service's own protocol: questions from bodies, and bodies from answers."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request

from model.decoding.next_step import next_characters
from service.completions import Answer, Chars, Completions, OnChars, Question
from service.http.answer_form import answer_form, characters
from service.http.faults import problem_of
from service.http.own_errors import OWN_ERRORS
from service.http.schema import Characters, CompleteRequest, CompleteResponse, Usage
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

    @app.post(
        "/complete",
        summary="Complete the text before the cursor",
        response_model=CompleteResponse,
        responses=streams(STREAM) | OWN_ERRORS.responses(*ERRORS),
    )
    async def post_complete(body: CompleteRequest, request: Request) -> Any:
        """One request a keystroke; a newer one of the same session ends the older.

        With `stream` the answer is server-sent events: `characters` as they become certain, then
        the `completion`, or an `error` where something went wrong after the first characters.
        """
        work = partial(complete, resources().completions, TENANT, body)
        return await respond(request, body.stream, work, events)


async def complete(
    completions: Completions,
    tenant: str,
    request: CompleteRequest,
    on_chars: OnChars | None = None,
) -> CompleteResponse:
    """The answer to one keystroke; raises a ServiceError if it cannot be answered.

    `on_chars` is called with characters as soon as they are certain.
    """
    session = request.session or secrets.token_urlsafe(16)
    answer = await completions.answer(tenant, session, _question(request, on_chars))
    return _response(session, answer, request.top)


async def events(stream: Stream[CompleteResponse]) -> AsyncIterator[bytes]:
    """The stream as server-sent events: characters, then the answer or the error."""
    async for _, chars in stream.pieces():
        yield event(piece_json(chars), "characters")
    try:
        yield event(stream.result().model_dump_json(), "completion")
    except Exception as error:
        _, body = OWN_ERRORS.render(problem_of(error))
        yield event(json.dumps(body), "error")


def piece_json(chars: Chars) -> str:
    """Further characters of an answer, as a stream or a WebSocket sends them."""
    return Characters.model_validate({"chars": characters(chars)}).model_dump_json()


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


def _response(session: str, answer: Answer, top: int) -> CompleteResponse:
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
    return CompleteResponse(
        session=session,
        version=answer.version,
        **form,
        usage=Usage(
            characters_absorbed=answer.absorbed,
            steps_computed=computed.steps_computed,
            steps_reused=computed.steps_reused,
        ),
        degraded=not answer.stored,
    )
