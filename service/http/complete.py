"""This service's own protocol: from the body of a request to what is asked, and back."""

import json
import secrets
from collections.abc import AsyncIterator

from model.decoding.next_step import next_characters
from model.decoding.options import CharProbability
from service.completions import Answer, Completions, OnChars, Question
from service.http import error_format
from service.http.faults import problem_of
from service.http.schema import (
    Alternative,
    Character,
    Characters,
    CompleteRequest,
    CompleteResponse,
    NextCharacter,
    Usage,
)
from service.http.streaming import Stream, event
from service.sessions.rules import TextEdit, WholeText

PATH = "/complete"
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


async def complete(
    completions: Completions,
    tenant: str,
    request: CompleteRequest,
    on_chars: OnChars | None = None,
) -> CompleteResponse:
    """The answer to one keystroke; raises a ServiceError for what cannot be answered."""
    session = request.session or secrets.token_urlsafe(16)
    answer = await completions.answer(tenant, session, _asked(request, on_chars))
    return _answered(session, answer, request.top)


async def events(stream: Stream[CompleteResponse]) -> AsyncIterator[bytes]:
    """The stream as server-sent events: characters, then the answer or what went wrong."""
    async for _, chars in stream.pieces():
        yield event(Characters(chars=characters(chars)).model_dump_json(), "characters")
    try:
        yield event(stream.result().model_dump_json(), "completion")
    except Exception as error:
        _, said = error_format.body(problem_of(error), PATH)
        yield event(json.dumps(said), "error")


def _asked(request: CompleteRequest, on_chars: OnChars | None = None) -> Question:
    """What a request asks; `on_chars` hears of characters as soon as they are certain."""
    if request.edit is not None:
        edit = request.edit
        return Question(
            change=TextEdit(edit.version, edit.keep, edit.append),
            options=(request.options,),
            model=request.model,
            top=request.top,
            on_chars=on_chars,
            text_field="edit.append",
        )
    return Question(
        change=WholeText(request.prefix or ""),
        options=(request.options,),
        model=request.model,
        top=request.top,
        on_chars=on_chars,
    )


def _answered(session: str, answer: Answer, top: int) -> CompleteResponse:
    """The answer to a request that asked for `top` next characters."""
    (computed,) = answer.computed
    completion = computed.completion
    vocabulary = answer.runtime.vocabulary
    following = next_characters(vocabulary, computed.next, top) if computed.next is not None else ()
    return CompleteResponse(
        session=session,
        version=answer.version,
        length=answer.length,
        completion=completion.text,
        confidence=completion.confidence,
        chars=characters(completion.chars),
        alternatives=tuple(
            Alternative(completion=other.text, confidence=other.confidence)
            for other in computed.alternatives
        ),
        next=tuple(NextCharacter(character=c, probability=p) for c, p in following),
        finish_reason=completion.finish_reason,
        model=answer.runtime.checkpoint.name,
        usage=Usage(
            characters_absorbed=answer.absorbed,
            steps_computed=computed.steps_computed,
            steps_reused=computed.steps_reused,
        ),
        degraded=not answer.stored,
    )


def characters(chars: tuple[CharProbability, ...]) -> tuple[Character, ...]:
    """Predicted characters as they stand in answers."""
    return tuple(Character(text=c.text, probability=c.probability) for c in chars)
