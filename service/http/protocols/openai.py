"""OpenAI's completions and models over the same core: `POST /v1/completions`, `GET /v1/models`."""

import asyncio
import json
import math
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Literal

from fastapi import FastAPI, Request
from starlette.responses import Response

from model.decoding.options import MOST_LINES, Completion, Options
from model.text_form import START, as_sent, training_form
from service.completions import Answer, Chars, OnChars, Question
from service.errors import TooLarge
from service.http.direct import JSON, add_direct_route
from service.http.error_format import problem_of
from service.http.protocols import COMPLETION_ERRORS
from service.http.protocols.openai_errors import OPENAI_ERRORS
from service.http.protocols.openai_schema import (
    MOST_CHARACTERS,
    MOST_PROMPTS_AT_ONCE,
    MOST_SCORED_CHARACTERS,
    CompletionRequest,
    CompletionResponse,
    CompletionUsage,
    ModelObject,
    ModelObjects,
    PromptTokensDetails,
)
from service.http.schema import MAX_CHARS
from service.http.streaming import Stream, event, respond, streams
from service.resources import TENANT, Resources
from service.sessions.rules import WholeText

ChoiceFinishReason = Literal["stop", "length"]


def add_routes(app: FastAPI, resources: Callable[[], Resources]) -> None:
    """Adds the routes; `resources` returns the Resources, which exist once the app has started."""

    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Characters are the tokens. A text is found again by itself, so that only what is new of
        a prompt is read; `usage.prompt_tokens_details` tells how much was not.
        """
        handler = CompletionHandler(resources(), body)
        return await respond(request, body.stream, handler.answers, handler.events, handler.whole)

    add_direct_route(
        app,
        "/v1/completions",
        completions,
        tags=["OpenAI"],
        summary="OpenAI: what follows a prompt",
        response_model=CompletionResponse,
        responses=streams({"type": "object", "properties": {"data": {"type": "string"}}})
        | OPENAI_ERRORS.responses(*COMPLETION_ERRORS),
    )

    @app.get("/v1/models", tags=["OpenAI"], summary="OpenAI: the loaded models")
    async def models() -> ModelObjects:
        """The first one answers requests that name none."""
        return ModelObjects(data=[_model(resources(), name) for name in resources().models.names])

    @app.get(
        "/v1/models/{model:path}",
        tags=["OpenAI"],
        summary="OpenAI: a loaded model",
        responses=OPENAI_ERRORS.responses("unknown_model"),
    )
    async def model(model: str) -> ModelObject:
        """A model by its name."""
        return _model(resources(), resources().models.choose(model).checkpoint.name)


def _model(resources: Resources, name: str) -> ModelObject:
    return ModelObject(id=name, created=resources.loaded)


class CompletionHandler:
    """Handles one request: makes a question of each prompt, and writes the choices as OpenAI does.

    Choices are numbered across all prompts: first the `n` choices of the first prompt, then the `n`
    choices of the second prompt, and so on.
    """

    def __init__(self, resources: Resources, body: CompletionRequest) -> None:
        """Raises UnknownModel if the model is not loaded, and TooLarge (see _check_scored)."""
        runtime = resources.models.choose(body.model)
        _check_scored(body)
        self._resources = resources
        self._runtime = runtime
        self._body = body
        self._n = body.n or 1
        self._shared_fields: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_urlsafe(18)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": runtime.checkpoint.name,
            "system_fingerprint": f"fp_{runtime.fingerprint[:16]}",
        }
        self._options = _options(body, self._candidates)
        self._room = asyncio.Semaphore(MOST_PROMPTS_AT_ONCE)
        # The characters of each prompt, if their probabilities are wanted.
        self._scored: list[Chars] = []

    @property
    def _candidates(self) -> int:
        """How many candidates each prompt has; `n` of them become choices."""
        return max(self._n, self._body.best_of or 1)

    async def answers(self, on_chars: OnChars | None) -> list[Answer]:
        """An answer for each prompt; `on_chars` gets characters with the number of their choice."""
        if self._body.scores_prompts:
            self._scored = [await self._score(prompt) for prompt in self._body.prompt]
        # If there are more candidates than choices, only the end shows which of them are chosen.
        # So their characters cannot be sent early.
        early = on_chars if self._candidates == self._n else None
        asked = [self._answer(number, early) for number in range(len(self._body.prompt))]
        tasks = [asyncio.create_task(work) for work in asked]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def whole(self, answers: Sequence[Answer]) -> Response:
        """The response with an answer."""
        choices = [self._choice(i, c.chars, _reason(c)) for i, c in self._chosen(answers)]
        body = CompletionResponse(choices=choices, usage=_usage(answers), **self._shared_fields)
        return Response(body.model_dump_json(), media_type=JSON)

    async def events(self, stream: Stream[list[Answer]]) -> AsyncIterator[bytes]:
        """The stream as OpenAI sends it; if the work fails, the error is the last event."""
        # The characters of each choice that have been sent.
        sent: defaultdict[int, Chars] = defaultdict(tuple)
        if self._body.echo:
            for index in range(self._n * len(self._body.prompt)):
                yield self._event([self._choice(index, (), None)])
        async for index, chars in stream.pieces():
            yield self._event([self._choice(index, chars, None, sent[index])])
            sent[index] += chars
        try:
            answers = stream.result()
        except Exception as error:
            yield event(json.dumps(OPENAI_ERRORS.render(problem_of(error))[1]))
            return
        for index, completion in self._chosen(answers):
            rest = completion.chars[len(sent[index]) :]
            yield self._event([self._choice(index, rest, _reason(completion), sent[index])])
        if self._with_usage:
            yield self._event([], _usage(answers))
        yield event("[DONE]")

    @property
    def _with_usage(self) -> bool:
        options = self._body.stream_options
        return bool(options and options.include_usage)

    async def _answer(self, number: int, on_chars: OnChars | None) -> Answer:
        def tell(index: int, chars: Chars) -> None:
            assert on_chars is not None
            on_chars(number * self._n + index, chars)

        question = Question(
            change=WholeText(self._body.prompt[number]),
            options=self._options,
            model=self._body.model,
            on_chars=tell if on_chars else None,
            text_field="prompt",
        )
        async with self._room:
            return await self._resources.sessionless.answer(TENANT, question)

    async def _score(self, prompt: str) -> Chars:
        top, read = self._body.logprobs or 0, training_form(prompt)
        scored = await self._resources.scoring.score(self._runtime, read, top, "prompt")
        return as_sent(prompt, START.after(prompt).answers(Options()).chars(scored))

    def _chosen(self, answers: Sequence[Answer]) -> Iterator[tuple[int, Completion]]:
        """The choices by their numbers: the `n` most probable candidates of each prompt."""
        for number, answer in enumerate(answers):
            candidates = _completions(answer)
            if self._candidates > self._n:
                candidates.sort(key=_mean_logprob, reverse=True)
            for index in range(self._n):
                # A beam may find fewer candidates. The best one then fills the other choices.
                found = candidates[index] if index < len(candidates) else candidates[0]
                yield number * self._n + index, found

    def _choice(
        self, index: int, chars: Chars, reason: ChoiceFinishReason | None, sent: Chars | None = None
    ) -> dict[str, Any]:
        """A choice, or the part of a streamed choice that follows the characters `sent`."""
        number = index // self._n
        prompt = self._body.prompt[number]
        echoed = prompt if self._body.echo and sent is None else ""
        logprobs = None
        if self._body.logprobs is not None:
            scored = self._scored[number] if self._scored and sent is None else ()
            begin = len(prompt) + _length(sent or ()) - _length(scored)
            logprobs = _logprobs((*scored, *chars), begin, first_unknown=bool(scored))
        return {
            "text": echoed + "".join(c.text for c in chars),
            "index": index,
            "logprobs": logprobs,
            "finish_reason": reason,
        }

    def _event(self, choices: Sequence[Any], usage: CompletionUsage | None = None) -> bytes:
        counted = {"usage": usage.model_dump() if usage else None} if self._with_usage else {}
        return event(json.dumps(self._shared_fields | {"choices": choices} | counted))


def _options(body: CompletionRequest, candidates: int) -> tuple[Options, ...]:
    """At temperature 0, one beam for all candidates; above it, one draw for each candidate."""
    draws = body.temperature != 0
    # MOST_CHARACTERS is the limit for all that is computed at once.
    share = MOST_CHARACTERS // (candidates * min(len(body.prompt), MOST_PROMPTS_AT_ONCE))
    seed = secrets.randbits(63) if body.seed is None else body.seed
    options = Options(
        max_chars=min(body.limit, share, MAX_CHARS),
        stop=body.stop,
        suffix=body.suffix or "",
        n=1 if draws else candidates,
        max_lines=MOST_LINES,
        indent=0,
        temperature=1.0 if body.temperature is None else body.temperature,
        # OpenAI's top_p of 0 keeps only the most probable token. Options has no such top_p, but a
        # top_k of 1 keeps the same.
        top_k=1 if body.top_p == 0 else max(0, body.top_k or 0),
        top_p=body.top_p or 1.0,
        min_p=body.min_p or 0.0,
        trigger="manual",
        by_value=False,
        top_each=body.logprobs or 0,
    )
    count = candidates if draws else 1
    return tuple(replace(options, seed=(seed + i) % 2**64) for i in range(count))


def _check_scored(body: CompletionRequest) -> None:
    """Raises TooLarge if an answer had the probabilities of too many characters of prompts."""
    if not body.scores_prompts:
        return
    characters = (body.n or 1) * sum(map(len, body.prompt))
    if characters > MOST_SCORED_CHARACTERS:
        raise TooLarge(
            f"prompt: with echo and logprobs an answer has the probabilities of {characters} "
            f"characters of prompts; at most {MOST_SCORED_CHARACTERS} are given",
            "prompt",
        )


def _completions(answer: Answer) -> list[Completion]:
    return [c for made in answer.computed for c in (made.completion, *made.alternatives)]


def _mean_logprob(completion: Completion) -> float:
    chars = completion.chars
    return sum(_log(c.probability) for c in chars) / len(chars) if chars else 0.0


def _reason(completion: Completion) -> ChoiceFinishReason:
    return "length" if completion.finish_reason == "max_chars" else "stop"


def _length(chars: Chars) -> int:
    """How many characters the client counts: a line end may have two."""
    return sum(len(char.text) for char in chars)


def _logprobs(chars: Chars, begin: int, first_unknown: bool) -> dict[str, Any]:
    """The probabilities of characters that stand at `begin`, counted from the prompt's start.

    With `first_unknown` the first one has none, because nothing stands before it.
    """
    known = [_log(c.probability) for c in chars]
    # A character stands among the most probable ones with the very value that it has as a token.
    # Clients compare the two to see whether it is the most probable one.
    top = [{text: _log(p) for text, p in (*c.top, (c.text, c.probability))} for c in chars]
    return {
        "tokens": [c.text for c in chars],
        "token_logprobs": [None, *known[1:]] if first_unknown else known,
        "top_logprobs": [None, *top[1:]] if first_unknown else top,
        "text_offset": list(accumulate((len(c.text) for c in chars), initial=begin))[:-1],
    }


def _log(probability: float) -> float:
    # JSON cannot write the logarithm of 0, which is minus infinity.
    return math.log(max(probability, sys.float_info.min))


def _usage(answers: Sequence[Answer]) -> CompletionUsage:
    prompt = sum(answer.length for answer in answers)
    made = sum(len(c.chars) for answer in answers for c in _completions(answer))
    known = prompt - sum(answer.absorbed for answer in answers)
    return CompletionUsage(
        prompt_tokens=prompt,
        completion_tokens=made,
        total_tokens=prompt + made,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=known),
    )
