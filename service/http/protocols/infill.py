"""llama.cpp's `POST /infill` and `GET /health` over the same core, for llama.vim, llama.vscode."""

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from model.decoding.options import MOST_LINES, Completion, Options
from model.text_form import START
from service.completions import Answer, Chars, OnChars, Question
from service.http.direct import add_direct_route
from service.http.error_format import problem_of
from service.http.protocols import COMPLETION_ERRORS
from service.http.protocols.infill_errors import LLAMA_CPP_ERRORS
from service.http.protocols.infill_schema import ANY_SEED, Health, InfillRequest, InfillResponse
from service.http.protocols.infill_text import text_before
from service.http.schema import MAX_CHARS
from service.http.status import require_scheduler
from service.http.streaming import Stream, event, respond, streams
from service.resources import TENANT, Resources
from service.sessions.rules import WholeText

# One text that may follow, or only those of its fields that the request has chosen.
Suggestion = InfillResponse | dict[str, Any]
# llama.cpp's `stop_type` by our finish reason. All other reasons become "eos", the end of the
# sequence.
STOP_TYPES = {"stop": "word", "max_chars": "limit", "time": "limit", "indentation": "limit"}


def add_routes(app: FastAPI, resources: Callable[[], Resources]) -> None:
    """Adds the routes; `resources` returns the Resources, which exist once the app has started."""

    async def infill(body: InfillRequest, request: Request) -> Response:
        """Characters are the tokens. A text is found again by itself, so that only what is new of
        it is read; `timings` tells how much that was.
        """
        handler = InfillHandler(resources(), body)
        return await respond(request, body.stream, handler.answer, handler.events, handler.whole)

    add_direct_route(
        app,
        "/infill",
        infill,
        tags=["llama.cpp"],
        summary="llama.cpp: what stands at the cursor",
        response_model=Suggestion | list[Suggestion],
        responses=streams({"type": "object", "properties": {"data": {"type": "string"}}})
        | LLAMA_CPP_ERRORS.responses(*COMPLETION_ERRORS),
    )

    @app.get(
        "/health",
        tags=["llama.cpp"],
        summary="llama.cpp: whether it can answer",
        responses=LLAMA_CPP_ERRORS.responses("not_ready"),
    )
    async def health() -> Health:
        """The models are loaded, and their thread runs."""
        require_scheduler(resources())
        return Health()


class InfillHandler:
    """Handles one request: makes the question, and writes the answer as llama.cpp's server does."""

    def __init__(self, resources: Resources, body: InfillRequest) -> None:
        """Raises UnknownModel if the model is not loaded."""
        self._resources = resources
        self._body = body
        self._model = resources.models.choose(body.model or None).checkpoint.name
        extra = [piece.text for piece in body.input_extra]
        self._text, self._truncated = text_before(extra, body.input_prefix, body.prompt)
        cursor, options = START.after(body.input_prefix).after(body.prompt), _options(body)
        self._form = cursor.answers(options)
        self._options = cursor.read_options(options)

    async def answer(self, on_chars: OnChars | None) -> Answer:
        """The core's answer to the request."""
        limit = self._body.t_max_predict_ms / 1000
        question = Question(
            change=WholeText(self._text),
            options=(self._options,),
            model=self._body.model or None,
            on_chars=on_chars,
            predict_seconds=limit if limit > 0 else None,
            text_field="input_prefix",
            suffix_field="input_suffix",
            form=self._form,
        )
        return await self._resources.sessionless.answer(TENANT, question)

    def whole(self, answer: Answer) -> JSONResponse:
        """The body of an answer: one suggestion, or an array of them if `n_cmpl` is above 1."""
        found = self._suggestions(answer)
        return JSONResponse(found[0] if (self._body.n_cmpl or 1) == 1 else found)

    async def events(self, stream: Stream[Answer]) -> AsyncIterator[bytes]:
        """The stream as llama.cpp sends it: pieces, then the answer or the error."""
        sent = 0
        async for _, chars in stream.pieces():
            sent += len(chars)
            yield event(_compact_json(self._piece(chars, sent)))
        try:
            answer = stream.result()
        except Exception as error:
            yield event(_compact_json(LLAMA_CPP_ERRORS.render(problem_of(error))[1]))
            return
        rest = answer.computed[0].completion.chars[sent:]
        if rest:
            yield event(_compact_json(self._piece(rest, sent + len(rest))))
        for suggestion in self._suggestions(answer, streamed=True):
            yield event(_compact_json(suggestion))

    def _piece(self, chars: Chars, sent: int) -> dict[str, Any]:
        """Further characters of a stream; together with them, `sent` characters have been sent."""
        return {
            "index": 0,
            "content": "".join(c.text for c in chars),
            "tokens": [],
            "stop": False,
            "id_slot": self._slot,
            "tokens_predicted": sent,
            "tokens_evaluated": len(self._text),
        }

    @property
    def _slot(self) -> int:
        given = self._body.id_slot
        return given if isinstance(given, int) and given >= 0 else 0

    def _suggestions(self, answer: Answer, streamed: bool = False) -> list[dict[str, Any]]:
        (computed,) = answer.computed
        found = (computed.completion, *computed.alternatives)
        return [self._suggestion(i, c, answer, streamed) for i, c in enumerate(found)]

    def _suggestion(
        self, index: int, completion: Completion, answer: Answer, streamed: bool
    ) -> dict[str, Any]:
        text = completion.text
        suggestion = {
            "index": index,
            # The text of a stream's first suggestion has already been sent in pieces.
            "content": text if index or not streamed else "",
            "tokens": [],
            "id_slot": self._slot,
            "stop": True,
            "model": self._model,
            "tokens_predicted": len(completion.chars),
            "tokens_evaluated": answer.length,
            "generation_settings": self._settings,
            "prompt": self._text,
            "has_new_line": self._form.line_end in text,
            "truncated": self._truncated,
            "stop_type": STOP_TYPES.get(completion.finish_reason, "eos"),
            "stopping_word": completion.stopped_by,
            "tokens_cached": answer.length - answer.absorbed,
            "timings": _timings(answer),
        }
        wanted = self._body.response_fields
        return _selected(suggestion, wanted) if wanted else suggestion

    @property
    def _settings(self) -> dict[str, Any]:
        options = self._options
        return {
            "n_predict": options.max_chars,
            "max_tokens": options.max_chars,
            "n_indent": options.indent or 0,
            "temperature": options.temperature,
            "top_k": options.top_k,
            "top_p": options.top_p,
            "min_p": options.min_p,
            "seed": options.seed,
            "stop": list(self._form.stop),
            "stream": self._body.stream,
        }


def _options(body: InfillRequest) -> Options:
    options = Options(
        max_chars=MAX_CHARS if body.n_predict < 0 else min(body.n_predict, MAX_CHARS),
        stop=tuple(text for text in body.stop if text),
        suffix=body.input_suffix,
        n=body.n_cmpl or 1,
        max_lines=MOST_LINES,
        indent=body.n_indent or None,
    )
    temperature = body.temperature or 0.0
    if temperature <= 0:
        return options
    return replace(
        options,
        temperature=temperature,
        # llama.cpp's top_p of 0 keeps only the most probable token. Options has no such top_p, but
        # a top_k of 1 keeps the same.
        top_k=1 if body.top_p <= 0 else max(0, body.top_k),
        top_p=min(body.top_p, 1.0) if body.top_p > 0 else 1.0,
        min_p=max(0.0, body.min_p),
        seed=secrets.randbits(32) if body.seed in ANY_SEED else body.seed,
    )


def _timings(answer: Answer) -> dict[str, float]:
    (computed,) = answer.computed
    read, predicted = answer.absorbed, len(computed.completion.chars)
    return {
        "cache_n": answer.length - read,
        **_rates("prompt", read, computed.seconds_absorbing),
        **_rates("predicted", predicted, computed.seconds_predicting),
    }


def _rates(name: str, count: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": count,
        f"{name}_ms": seconds * 1000,
        f"{name}_per_token_ms": seconds * 1000 / count if count else 0.0,
        f"{name}_per_second": count / seconds if seconds else 0.0,
    }


def _selected(suggestion: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """The wanted fields of a suggestion, each under the name by which the request asks for it.

    A name such as `timings/prompt_n` is a path into the suggestion. Unknown names are left out.
    """
    found = {}
    for name in wanted:
        value: Any = suggestion
        for part in name.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            found[name] = value
    return found


def _compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
