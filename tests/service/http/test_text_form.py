"""A text with carriage returns or a mark gets the answer of its plain text, in its own form.

However it arrives: whole or by edits, also edits within a pair, over each protocol.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from model.adaptation.page import common_length
from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime
from tests.service.running import EAGER, Service, listening
from tests.tiny import save_primed_checkpoint

MARK = "\ufeff"
DRAWN = Random(1)
# So many lines that the page's window leaves some out, and that /infill leaves some out, too.
LINES = "".join("".join(DRAWN.choices("abcé(). ", k=n % 23)) + "\n" for n in range(1500))
ENDINGS = ("\n", "\r\n", "\r")


@dataclass(frozen=True)
class SentDocument:
    """The text around a cursor with line feeds, and the endings with which a client has it."""

    before: str
    behind: str
    endings: tuple[str, ...]
    marked: bool

    @property
    def sent(self) -> tuple[str, str]:
        """The text before the cursor and the text behind it, as the client has them."""
        lines = (self.before + "\0" + self.behind).split("\n")
        # The last line has no ending, so its place in `endings` is not used.
        ends = [self.endings[n % len(self.endings)] for n in range(len(lines) - 1)] + [""]
        whole = MARK * self.marked + "".join(map(str.__add__, lines, ends))
        before, behind = whole.split("\0")
        return before, behind

    @property
    def ending(self) -> str:
        """The ending of the line before the cursor's, or of the cursor's line in the first one."""
        count = self.before.count("\n")
        if not count and "\n" not in self.behind:
            return "\n"
        return self.endings[max(0, count - 1) % len(self.endings)]


def documents(ending: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[SentDocument]:
    small = st.text(alphabet="ab()\n é", max_size=10)
    long = st.integers(0, len(LINES)).map(lambda length: LINES[:length])
    before = st.builds(str.__add__, st.one_of(st.just(""), st.just(""), long), small)
    return st.builds(SentDocument, before, small, ending, st.booleans())


UNIFORM = st.sampled_from(ENDINGS).map(lambda ending: (ending,))
# A lone carriage return before an empty line would make one line end with that line's line feed.
MIXED = st.lists(st.sampled_from(ENDINGS[:2]), min_size=2, max_size=3).map(tuple)
DOCUMENTS = documents(st.one_of(UNIFORM, MIXED))
# How far a client goes back, and what it then types by mistake.
DETOURS = st.lists(
    st.tuples(st.integers(0, 12), st.text(alphabet="a\r\n\ufeff", max_size=3)), max_size=4
)
OPTIONS: list[dict[str, Any]] = [
    {"max_lines": 4, "max_chars": 40, "top": 5},
    {"max_lines": 4, "max_chars": 40, "n": 3},
    {"max_lines": 3, "temperature": 1.0, "n": 2, "seed": 5},
    {"max_lines": 4, "stop": ["\r\na"], "trigger": "manual"},
]


class Client:
    """A client of a service of this process, which runs while the client waits for an answer."""

    def __init__(self, runner: asyncio.Runner, service: Service) -> None:
        self._runner = runner
        self._service = service
        self.numbers = count()

    def post(self, path: str, **body: Any) -> str:
        """The body of an answer."""
        response = self._runner.run(self._service.http.post(path, json=body))
        assert response.status_code == 200, response.text
        return response.text

    def tell(self, **body: Any) -> str:
        """The same as post to /complete, over a WebSocket."""

        async def talk() -> str:
            url = str(self._service.http.base_url).replace("http", "ws")
            async with connect(f"{url}/ws") as connection:
                await connection.send(json.dumps(body | {"id": 1}))
                return str(await connection.recv())

        return self._runner.run(talk())


@pytest.fixture(scope="module")
def primed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_primed_checkpoint(tmp_path_factory.mktemp("checkpoints") / "primed")


@pytest.fixture(scope="module")
def adapted(primed: Path) -> Runtime:
    return Runtime(load(primed))


@pytest.fixture(scope="module")
def client(primed: Path) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        running = AsyncExitStack()
        started = running.enter_async_context(listening(checkpoint=(primed,)))
        yield Client(runner, runner.run(started))
        runner.run(running.aclose())


def expected(runtime: Runtime, document: SentDocument, options: dict[str, Any]) -> dict[str, Any]:
    """The answer to the text with line feeds, written with the document's line ends."""
    asked = dict(EAGER | options)
    top = asked.pop("top", 0)
    stop = tuple(text.replace("\r\n", "\n") for text in asked.pop("stop", ()))
    answer = complete(
        runtime, document.before, Options(**asked, stop=stop, suffix=document.behind), top
    )

    def written(text: str) -> str:
        return text.replace("\n", document.ending)

    return {
        "length": len(document.sent[0]),
        "completion": written(answer.completion.text),
        "confidence": answer.completion.confidence,
        "chars": [
            {"text": written(c.text), "probability": c.probability} for c in answer.completion.chars
        ],
        "alternatives": [
            {"completion": written(other.text), "confidence": other.confidence}
            for other in answer.alternatives
        ],
        "next": [{"character": written(c), "probability": p} for c, p in answer.next],
        "finish_reason": answer.completion.finish_reason,
        "model": "primed",
    }


def arrive(
    post: Callable[..., str], session: str, text: str, cut: int, detours: list[tuple[int, str]]
) -> dict[str, Any]:
    """Sends all but the last `cut` characters of a text, goes astray, and gives the last change.

    The characters after the cut are sent one by one, apart from the last.
    """
    held = text[: max(0, len(text) - cut)]
    version = json.loads(post(session=session, prefix=held))["version"]

    def edit(keep: int, append: str) -> None:
        nonlocal held, version
        change = {"version": version, "keep": keep, "append": append}
        version = json.loads(post(session=session, edit=change))["version"]
        held = held[:keep] + append

    for back, typed in detours:
        edit(max(0, len(held) - back), typed)
    common = common_length(held, text)
    edit(common, "")
    while len(held) < len(text) - 1:
        edit(len(held), text[len(held)])
    return {"version": version, "keep": len(held), "append": text[len(held) :]}


@given(
    document=DOCUMENTS,
    options=st.sampled_from(OPTIONS),
    cut=st.integers(0, 8),
    detours=st.one_of(st.none(), DETOURS),
    way=st.sampled_from(["http", "websocket", "stream"]),
)
@settings(max_examples=120)
def test_a_session_answers_as_for_line_feeds_in_the_documents_form(
    client: Client,
    adapted: Runtime,
    document: SentDocument,
    options: dict[str, Any],
    cut: int,
    detours: list[tuple[int, str]] | None,
    way: str,
) -> None:
    before, behind = document.sent
    session = f"s{next(client.numbers)}"

    def post(**body: Any) -> str:
        asked = EAGER | options | {"suffix": behind, "session": session} | body
        return client.tell(**asked) if way == "websocket" else client.post("/complete", **asked)

    change: dict[str, Any] = {"prefix": before}
    if detours is not None:
        change = {"edit": arrive(post, session, before, cut, detours)}
    if way != "stream":
        answer = json.loads(post(**change))
    else:
        events = [
            json.loads(line.removeprefix("data: "))
            for line in post(**change, stream=True).splitlines()
            if line.startswith("data: ")
        ]
        answer = events[-1]
        sent = [char for event in events[:-1] for char in event["chars"]]
        assert answer["chars"][: len(sent)] == sent
    apart = ("session", "version", "usage", "degraded", "id", "event")
    compared = {name: value for name, value in answer.items() if name not in apart}
    assert compared == expected(adapted, document, options)


@given(
    document=DOCUMENTS,
    asked=st.sampled_from(
        [
            {"n_predict": 60},
            {"n_predict": 30, "n_cmpl": 3},
            {"n_predict": 30, "temperature": 1.0, "seed": 3, "n_cmpl": 2},
        ]
    ),
    streamed=st.booleans(),
    extra=st.booleans(),
)
@settings(max_examples=60)
def test_llama_cpps_infill_answers_as_for_line_feeds_in_the_documents_form(
    client: Client, document: SentDocument, asked: dict[str, Any], streamed: bool, extra: bool
) -> None:
    def infill(document: SentDocument) -> tuple[str, list[dict[str, Any]]]:
        before, behind = document.sent
        line = max(before.rfind("\n"), before.rfind("\r")) + 1
        piece = "def a():\n\n    b\n".replace("\n", document.endings[0])
        body = {
            "input_prefix": before[:line],
            "prompt": before[line:],
            "input_suffix": behind,
            "input_extra": [{"text": MARK * document.marked + piece}] if extra else [],
        }
        text = client.post("/infill", **asked, **body, stream=streamed)
        if not streamed:
            found = json.loads(text)
            answers = found if isinstance(found, list) else [found]
        else:
            lines = [line for line in text.split("\n") if line]
            answers = [json.loads(line.removeprefix("data: ")) for line in lines]
        for answer in answers:
            for name in ("timings", "tokens_cached"):
                answer.pop(name, None)
        return "".join(answer["content"] for answer in answers), answers

    plain, feeds = infill(replace(document, endings=("\n",), marked=False))
    content, answers = infill(document)
    assert content == plain.replace("\n", document.ending)
    for answer in (*feeds, *answers):
        answer.pop("content")
    assert answers == feeds


@given(
    document=DOCUMENTS,
    asked=st.sampled_from(
        [
            {"temperature": 0, "max_tokens": 40, "logprobs": 3},
            {"temperature": 0, "max_tokens": 30, "n": 2},
            {"temperature": 1, "max_tokens": 40, "seed": 3, "logprobs": 0, "n": 2},
            {"temperature": 0, "max_tokens": 40, "stop": ["\n\n", "\r\na"], "echo": True},
        ]
    ),
    streamed=st.booleans(),
)
@settings(max_examples=60)
def test_openais_completions_answer_as_for_line_feeds_in_the_documents_form(
    client: Client, document: SentDocument, asked: dict[str, Any], streamed: bool
) -> None:
    def choices(document: SentDocument) -> tuple[list[dict[str, Any]], int]:
        before, behind = document.sent
        body = {"prompt": before, "suffix": behind} | asked
        text = client.post("/v1/completions", **body, stream=streamed)
        if not streamed:
            whole = json.loads(text)
            return whole["choices"], whole["usage"]["completion_tokens"]
        events = [line.removeprefix("data: ") for line in text.split("\n") if line][:-1]
        parts = [choice for event in events for choice in json.loads(event)["choices"]]
        joined: dict[int, dict[str, Any]] = {}
        for part in parts:
            one = joined.setdefault(part["index"], part | {"text": "", "logprobs": None})
            one["text"] += part["text"]
            one["finish_reason"] = part["finish_reason"]
            if part["logprobs"] and one["logprobs"]:
                for name, values in part["logprobs"].items():
                    one["logprobs"][name] += values
            elif part["logprobs"]:
                one["logprobs"] = part["logprobs"]
        return [joined[index] for index in sorted(joined)], 0

    def written(text: str) -> str:
        return text.replace("\n", document.ending)

    feeds, tokens = choices(replace(document, endings=("\n",), marked=False))
    found, tokens_found = choices(document)
    assert tokens_found == tokens
    before = document.sent[0]
    for choice, plain in zip(found, feeds, strict=True):
        echoed = plain["text"].removeprefix(document.before) if "echo" in asked else plain["text"]
        assert choice["text"] == (before if "echo" in asked else "") + written(echoed)
        assert choice["finish_reason"] == plain["finish_reason"]
        if "logprobs" in asked:
            said, meant = choice["logprobs"], plain["logprobs"]
            assert said["tokens"] == [written(token) for token in meant["tokens"]]
            assert said["token_logprobs"] == meant["token_logprobs"]
            assert said["top_logprobs"] == [
                {written(token): given for token, given in each.items()}
                for each in meant["top_logprobs"]
            ]
            text = before + choice["text"]
            for token, offset in zip(said["tokens"], said["text_offset"], strict=True):
                assert text[offset : offset + len(token)] == token
