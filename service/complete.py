"""This service's own protocol: from the body of a request to what is asked, and back."""

import secrets

from model.completing import next_characters
from model.decoding import CharProbability
from service.completions import Answer, Ask, Completions
from service.schema import Character, CompleteRequest, CompleteResponse, NextCharacter, Usage
from service.sessions import Edit, Prefix


async def complete(
    completions: Completions, tenant: str, request: CompleteRequest
) -> CompleteResponse:
    """The answer to one keystroke; raises a ServiceError for what cannot be answered."""
    session = session_of(request)
    answer = await completions.answer(tenant, session, asked(request))
    return answered(session, answer, request.top)


def session_of(request: CompleteRequest) -> str:
    """The session that the request names, or one made up."""
    return request.session or secrets.token_urlsafe(16)


def asked(request: CompleteRequest) -> Ask:
    """What a request asks."""
    if request.edit is not None:
        edit = request.edit
        return Ask(
            change=Edit(edit.version, edit.keep, edit.append),
            options=request.options,
            model=request.model,
            top=request.top,
            text_field="edit.append",
        )
    return Ask(
        change=Prefix(request.prefix or ""),
        options=request.options,
        model=request.model,
        top=request.top,
    )


def answered(session: str, answer: Answer, top: int) -> CompleteResponse:
    """The answer to a request that asked for `top` next characters."""
    computed = answer.computed
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
