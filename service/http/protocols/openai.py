"""OpenAI's completions and models over the same core: `POST /v1/completions`, `GET /v1/models`."""

import asyncio
import json
import math
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request

from model.decoding.options import Completion, Options
from service.completions import Answer, Chars, OnChars, Question
from service.http import error_format
from service.http.disconnect import unless_gone
from service.http.faults import problem_of
from service.http.protocols.openai_schema import (
    DEFAULT_MAX_TOKENS,
    MOST_CHARACTERS,
    CompletionRequest,
    CompletionResponse,
    CompletionUsage,
    ModelObject,
    ModelObjects,
    PromptTokensDetails,
)
from service.http.schema import MAX_CHARS, MAX_LINES
from service.http.streaming import EventStream, Stream, event, streams
from service.resources import TENANT, Resources
from service.sessions.rules import WholeText

FinishReason = Literal["stop", "length"]

PATH = "/v1/completions"
ERRORS = (
    "invalid_json",
    "unknown_model",
    "too_large",
    "unsupported_media_type",
    "invalid_request",
    "not_supported",
    "overloaded",
)


def routes(resources: Callable[[], Resources]) -> APIRouter:
    """The routes, whose parts are there once the application has started."""
    router = APIRouter(prefix="/v1", tags=["OpenAI"])

    @router.post(
        "/completions",
        summary="OpenAI: what follows a prompt",
        response_model=CompletionResponse,
        responses=streams({"type": "object", "properties": {"data": {"type": "string"}}})
        | error_format.responses(PATH, *ERRORS),
    )
    async def completions(body: CompletionRequest, request: Request) -> Any:
        """Characters are the tokens. A text is found again by itself, so that only what is new of
        a prompt is read; `usage.prompt_tokens_details` tells how much was not.
        """
        generation = Generation(resources(), body)
        if not body.stream:
            return await unless_gone(request, generation.respond())
        stream = Stream(generation.answers)
        return EventStream(stream, generation.events(stream))

    @router.get("/models", summary="OpenAI: the loaded models")
    async def models() -> ModelObjects:
        """The first one answers requests that name none."""
        return ModelObjects(data=[_model(resources(), name) for name in resources().models.names])

    @router.get(
        "/models/{model:path}",
        summary="OpenAI: a loaded model",
        responses=error_format.responses("/v1/models", "unknown_model"),
    )
    async def model(model: str) -> ModelObject:
        """A model by its name."""
        return _model(resources(), resources().models.choose(model).checkpoint.name)

    return router


def _model(resources: Resources, name: str) -> ModelObject:
    return ModelObject(id=name, created=resources.loaded)


class Generation:
    """One request: its prompts asked for, and the choices told as OpenAI tells them.

    The choices of all prompts are numbered through: n of the first prompt, n of the second.
    """

    def __init__(self, resources: Resources, body: CompletionRequest) -> None:
        """Raises UnknownModel."""
        runtime = resources.models.choose(body.model)
        self._resources = resources
        self._body = body
        self._n = body.n or 1
        self._head: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_urlsafe(18)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": runtime.checkpoint.name,
            "system_fingerprint": f"fp_{runtime.fingerprint[:16]}",
        }
        self._options = _options(body, self._candidates)

    @property
    def _candidates(self) -> int:
        return max(self._n, self._body.best_of or 1)

    async def respond(self) -> CompletionResponse:
        """The whole answer."""
        answers = await self.answers(None)
        choices = [self._choice(i, c.chars, _reason(c)) for i, c in self._chosen(answers)]
        return CompletionResponse(choices=choices, usage=_usage(answers), **self._head)

    async def answers(self, on_chars: OnChars | None) -> list[Answer]:
        """An answer for each prompt; `on_chars` hears the choices' numbers and characters."""
        heard = on_chars if self._candidates == self._n else None
        asked = [self._answer(number, heard) for number in range(len(self._body.prompt))]
        tasks = [asyncio.create_task(work) for work in asked]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def events(self, stream: Stream[list[Answer]]) -> AsyncIterator[bytes]:
        """The stream as OpenAI sends it; a failure is an event, and the last one."""
        told: Counter[int] = Counter()
        if self._body.echo:
            for index in range(self._n * len(self._body.prompt)):
                yield self._event([self._choice(index, (), None)])
        async for index, chars in stream.pieces():
            yield self._event([self._choice(index, chars, None, told[index])])
            told[index] += len(chars)
        try:
            answers = stream.result()
        except Exception as error:
            yield event(json.dumps(error_format.body(problem_of(error), PATH)[1]))
            return
        for index, completion in self._chosen(answers):
            rest = completion.chars[told[index] :]
            yield self._event([self._choice(index, rest, _reason(completion), told[index])])
        if self._with_usage:
            yield self._event([], _usage(answers))
        yield event("[DONE]")

    @property
    def _with_usage(self) -> bool:
        options = self._body.stream_options
        return bool(options and options.include_usage)

    async def _answer(self, number: int, on_chars: OnChars | None) -> Answer:
        def hear(index: int, chars: Chars) -> None:
            assert on_chars is not None
            on_chars(number * self._n + index, chars)

        question = Question(
            change=WholeText(self._body.prompt[number]),
            options=self._options,
            model=self._body.model,
            on_chars=hear if on_chars else None,
            text_field="prompt",
        )
        return await self._resources.sessionless.answer(TENANT, question)

    def _chosen(self, answers: Sequence[Answer]) -> Iterator[tuple[int, Completion]]:
        """The choices by their numbers: of each prompt's candidates the n most probable."""
        for number, answer in enumerate(answers):
            candidates = _completions(answer)
            if self._candidates > self._n:
                candidates.sort(key=_mean_logprob, reverse=True)
            for index in range(self._n):
                # A beam may find fewer, and then its best one stands for the others.
                found = candidates[index] if index < len(candidates) else candidates[0]
                yield number * self._n + index, found

    def _choice(
        self, index: int, chars: Chars, reason: FinishReason | None, told: int | None = None
    ) -> dict[str, Any]:
        """A choice, or of one that streams what follows the `told` characters."""
        prompt = self._body.prompt[index // self._n]
        text = "".join(c.text for c in chars)
        echoed = prompt if self._body.echo and told is None else ""
        wanted = self._body.logprobs is not None
        return {
            "text": echoed + text,
            "index": index,
            "logprobs": _logprobs(chars, len(prompt) + (told or 0)) if wanted else None,
            "finish_reason": reason,
        }

    def _event(self, choices: Sequence[Any], usage: CompletionUsage | None = None) -> bytes:
        counted = {"usage": usage.model_dump() if usage else None} if self._with_usage else {}
        return event(json.dumps(self._head | {"choices": choices} | counted))


def _options(body: CompletionRequest, candidates: int) -> tuple[Options, ...]:
    """A beam for the most probable texts, and else as many draws as there are candidates."""
    draws = body.temperature != 0
    asked = DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    share = MOST_CHARACTERS // (candidates * len(body.prompt))
    seed = secrets.randbits(63) if body.seed is None else body.seed
    options = Options(
        max_chars=min(asked, share, MAX_CHARS),
        stop=body.stop,
        suffix=body.suffix or "",
        n=1 if draws else candidates,
        max_lines=MAX_LINES,
        indent=0,
        temperature=1.0 if body.temperature is None else body.temperature,
        # None of the probability is what the most probable character has.
        top_k=1 if body.top_p == 0 else body.top_k or 0,
        top_p=body.top_p or 1.0,
        min_p=body.min_p or 0.0,
        trigger="manual",
        by_value=False,
        top_each=body.logprobs or 0,
    )
    count = candidates if draws else 1
    return tuple(replace(options, seed=(seed + i) % 2**64) for i in range(count))


def _completions(answer: Answer) -> list[Completion]:
    return [c for made in answer.computed for c in (made.completion, *made.alternatives)]


def _mean_logprob(completion: Completion) -> float:
    chars = completion.chars
    return sum(_log(c.probability) for c in chars) / len(chars) if chars else 0.0


def _reason(completion: Completion) -> FinishReason:
    return "length" if completion.finish_reason == "max_chars" else "stop"


def _logprobs(chars: Chars, offset: int) -> dict[str, Any]:
    return {
        "tokens": [c.text for c in chars],
        "token_logprobs": [_log(c.probability) for c in chars],
        "top_logprobs": [
            {text: _log(p) for text, p in (*c.top, (c.text, c.probability))} for c in chars
        ],
        "text_offset": list(range(offset, offset + len(chars))),
    }


def _log(probability: float) -> float:
    # JSON has no infinity.
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
