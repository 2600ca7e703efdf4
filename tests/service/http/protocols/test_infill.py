"""llama.cpp's /infill and /health: the requests of its clients while somebody types."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from model.completing import complete
from model.decoding.options import Completion, Options
from model.served import Runtime
from tests.service.http.protocols.editors import LINES_BEFORE, Buffer, Vim, VSCode
from tests.service.running import Service, running

TYPED = '''    def total(self, names):
        """The sum over all names that are known."""
        result = 0
        for name in names:
            if name in self.known:
                result += self.known[name]
        return result
'''


@pytest.fixture
async def service(checkpoint: Path, other_checkpoint: Path) -> AsyncIterator[Service]:
    async with running(checkpoint=(checkpoint, other_checkpoint)) as started:
        yield started


def expected(runtime: Runtime, text: str, suffix: str, **options: Any) -> Completion:
    """The completion of a fresh computation of the whole text."""
    given: dict[str, Any] = {"suffix": suffix, "max_lines": 1000}
    asked = Options(**(given | options))
    return complete(runtime, text, asked).completion


async def ask(service: Service, **body: Any) -> Any:
    whole = {"input_prefix": "", "input_suffix": ""} | body
    response = await service.http.post("/infill", json=whole)
    assert response.status_code == 200, response.text
    return response.json()


def file_of(lines: int, seed: int = 0) -> list[str]:
    drawn = random.Random(seed)
    words = ("", "    return value", "def name(self):", "x = y + 1", "# a comment", "else:")
    return [f"{drawn.choice(words)} {drawn.randrange(lines)}".rstrip() for _ in range(lines)]


@pytest.mark.parametrize("editor", [Vim, VSCode])
async def test_a_typist_in_the_middle_of_a_file_pays_for_what_is_typed(
    service: Service, editor: type[Vim] | type[VSCode]
) -> None:
    # There are so many lines before the cursor that the window moves with each new line.
    lines = file_of(LINES_BEFORE + 40)
    buffer = Buffer(lines, row=LINES_BEFORE + 20, column=0)
    lines[buffer.row] = ""
    client = editor(buffer)
    read = await _read(service, client.request())
    assert read > 1000
    costs = []
    for character in TYPED:
        buffer.type(character)
        costs.append(await _read(service, client.request()))
    # If a line is blank up to the cursor, the clients send it without its blanks. These then come
    # with the next character.
    assert all(cost <= 17 for cost in costs)
    assert sum(costs) == len(TYPED)


@pytest.mark.parametrize("editor", [Vim, VSCode])
async def test_asking_ahead_costs_what_is_guessed(
    service: Service, editor: type[Vim] | type[VSCode]
) -> None:
    buffer = Buffer(["import os", "", "", "class A:", ""], row=4, column=0)
    client = editor(buffer)
    await _read(service, client.request())
    for start, line in enumerate(TYPED.splitlines()[:3]):
        for column, character in enumerate(line):
            buffer.type(character)
            assert await _read(service, client.request()) <= 10
            guess = line[column + 1 :] if start else "something else " * 5
            if guess and line[: column + 1].strip():
                assert await _read(service, client.ahead(guess)) <= len(guess)
        buffer.type("\n")


async def test_a_typist_goes_back_and_pays_little(service: Service) -> None:
    buffer = Buffer(file_of(200), row=199, column=0)
    buffer.lines[199] = ""
    client = Vim(buffer)
    await _read(service, client.request())
    buffer.type("result = compute(")
    await _read(service, client.request())
    for _ in range(10):
        buffer.delete(1)
        # The tests of sessions bound what going back costs; it does not grow with the text.
        assert await _read(service, client.request()) <= 32 * 16
    buffer.type("x")
    assert await _read(service, client.request()) <= 1


@pytest.mark.parametrize("editor", [Vim, VSCode])
async def test_new_pieces_of_other_files_are_read_once(
    service: Service, editor: type[Vim] | type[VSCode]
) -> None:
    buffer = Buffer(["import os", "", ""], row=2, column=0)
    client = editor(buffer)
    buffer.take("def helper():\n    return 1\n")
    await ask(service, **client.warm())
    assert await _read(service, client.request()) == len("import os\n\n")
    buffer.take("def other():\n    return 2\n")
    await ask(service, **client.warm())
    assert await _read(service, client.request()) == len("import os\n\n")
    for character in "helper(":
        buffer.type(character)
        assert await _read(service, client.request()) == 1


async def _read(service: Service, body: dict[str, Any]) -> int:
    """How many characters a request had to read."""
    response = await service.http.post("/infill", json=body)
    assert response.status_code == 200, response.text
    # llama.vim looks for this before it reads the answer as JSON.
    assert '"content":"' in response.text
    answer = response.json()
    if isinstance(answer, list):
        return int(answer[0]["timings"]["prompt_n"])
    return int(answer["timings/prompt_n"])


async def test_the_answer_is_that_of_a_fresh_computation(
    service: Service, runtime: Runtime
) -> None:
    text = "import os\n\ndef ma"
    found = expected(runtime, text, "\nx = 1\n")
    for prompt in ("def m", "def ma"):
        answer = await ask(
            service, input_prefix="import os\n\n", prompt=prompt, input_suffix="\nx = 1\n"
        )
    assert answer["content"] == found.text
    assert (answer["stop"], answer["index"], answer["model"]) == (True, 0, "tiny")
    assert (answer["prompt"], answer["tokens_evaluated"]) == (text, len(text))
    assert (answer["tokens_cached"], answer["timings"]["cache_n"]) == (len(text) - 1,) * 2
    assert answer["timings"]["prompt_n"] == 1
    assert answer["tokens_predicted"] == answer["timings"]["predicted_n"] == len(found.text)
    assert (answer["truncated"], answer["tokens"]) == (False, [])
    assert set(answer["timings"]) >= {"prompt_ms", "predicted_ms", "predicted_per_second"}


async def test_options_are_those_of_llama_cpp(service: Service, runtime: Runtime) -> None:
    asked: dict[str, Any] = {"prompt": "import ", "temperature": 1.5, "top_k": 0, "top_p": 1}
    drawn = [await ask(service, **asked, min_p=0, seed=seed) for seed in (7, 7, 8, -1)]
    settings = drawn[0]["generation_settings"]
    assert (settings["seed"], settings["temperature"]) == (7, 1.5)
    assert drawn[0]["content"] == drawn[1]["content"]
    assert (
        drawn[0]["content"]
        == expected(runtime, "import ", "", max_chars=1000, temperature=1.5, seed=7).text
    )
    assert drawn[3]["generation_settings"]["seed"] != -1
    greedy = await ask(service, prompt="import ", temperature=0)
    assert greedy["content"] == (await ask(service, prompt="import "))["content"]
    assert len((await ask(service, prompt="import ", n_predict=2))["content"]) <= 2
    assert (await ask(service, prompt="import ", n_predict=0))["stop_type"] == "limit"


async def test_a_stop_string_is_named(service: Service) -> None:
    first, second = (await ask(service, prompt="import "))["content"][:2]
    assert first != second
    answer = await ask(service, prompt="import ", stop=["", "never", second])
    assert (answer["content"], answer["stop_type"]) == (first, "word")
    assert answer["stopping_word"] == second


@pytest.fixture
def sure() -> dict[str, Any]:
    """A request with a temperature, for which the tiny network always suggests something."""
    return {"prompt": "import ", "temperature": 1.0, "top_k": 1, "seed": 1}


async def test_alternatives_come_as_an_array(service: Service) -> None:
    for n in (2, 3):
        answers = await ask(service, prompt="import ", n_cmpl=n)
        assert isinstance(answers, list)
        assert [answer["index"] for answer in answers] == list(range(len(answers)))
        assert 1 <= len(answers) <= n
    assert isinstance(await ask(service, prompt="import ", n_cmpl=1), dict)


async def test_response_fields_are_flattened(service: Service) -> None:
    wanted = ["content", "timings/prompt_n", "generation_settings/seed", "no/such", "nor this"]
    answer = await ask(service, prompt="abc", response_fields=wanted)
    assert set(answer) == {"content", "timings/prompt_n", "generation_settings/seed"}
    assert answer["timings/prompt_n"] == 3
    assert await ask(service, response_fields=[""]) == {}


async def test_a_stream_says_what_the_whole_answer_says(
    service: Service, sure: dict[str, Any]
) -> None:
    whole = await ask(service, **sure)
    body = {"input_prefix": "", "input_suffix": "", "stream": True} | sure
    response = await service.http.post("/infill", json=body)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = [json.loads(e.removeprefix("data: ")) for e in response.text.split("\n\n") if e]
    *pieces, last = events
    assert "".join(piece["content"] for piece in pieces) == whole["content"]
    assert not any(piece["stop"] for piece in pieces)
    assert pieces[-1]["tokens_predicted"] == len(whole["content"])
    assert (last["stop"], last["content"]) == (True, "")
    for name in ("stop_type", "tokens_evaluated", "tokens_predicted", "model", "prompt"):
        assert last[name] == whole[name]


async def test_requests_at_once_supersede_none_of_each_other(
    service: Service, runtime: Runtime
) -> None:
    text = "abc def\n" * 100
    answers = await asyncio.gather(
        *(ask(service, input_prefix=text, prompt="x" * (i % 4)) for i in range(30))
    )
    for i, answer in enumerate(answers):
        assert answer["content"] == expected(runtime, text + "x" * (i % 4), "").text


async def test_health(service: Service) -> None:
    response = await service.http.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    await service.resources.scheduler.stop()
    response = await service.http.get("/health")
    assert response.status_code == 503
    error = response.json()["error"]
    assert (error["code"], error["type"]) == (503, "unavailable_error")


@pytest.mark.parametrize(
    ("change", "status", "kind", "named"),
    [
        ({"input_prefix": None}, 400, "invalid_request_error", "input_prefix"),
        ({"input_suffix": None}, 400, "invalid_request_error", "input_suffix"),
        ({"prompt": 5}, 400, "invalid_request_error", "prompt"),
        ({"input_extra": {}}, 400, "invalid_request_error", "input_extra"),
        ({"input_extra": [{"filename": "a"}]}, 400, "invalid_request_error", "input_extra.0.text"),
        (
            {"input_extra": [{"text": "a", "filename": 1}]},
            400,
            "invalid_request_error",
            "input_extra.0.filename",
        ),
        ({"n_predict": "a"}, 400, "invalid_request_error", "n_predict"),
        ({"n_cmpl": 17}, 400, "invalid_request_error", "n_cmpl"),
        ({"stop": "a"}, 400, "invalid_request_error", "stop"),
        ({"grammar": "root ::= x"}, 400, "invalid_request_error", "grammar"),
        ({"mirostat": 2}, 400, "invalid_request_error", "mirostat"),
        ({"model": "none"}, 404, "not_found_error", "loaded are"),
        ({"input_prefix": "a" * 200_001}, 400, "exceed_context_size_error", "input_prefix"),
        ({"input_suffix": "a" * 200_001}, 400, "exceed_context_size_error", "input_suffix"),
        ({"input_suffix": "a" * 3_000_000}, 400, "exceed_context_size_error", "input_suffix"),
    ],
)
async def test_errors_have_llama_cpps_form(
    service: Service, change: dict[str, Any], status: int, kind: str, named: str
) -> None:
    body = {"input_prefix": "a", "input_suffix": "b"} | change
    sent = {name: value for name, value in body.items() if value is not None}
    response = await service.http.post("/infill", json=sent)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (status, status, kind)
    assert named in error["message"]
    assert set(error) == {"code", "message", "type"}


async def test_fields_about_the_inside_of_llama_cpp_change_nothing(service: Service) -> None:
    plain = await ask(service, prompt="import ")
    inner = {
        "id_slot": 3,
        "samplers": ["infill"],
        "cache_prompt": False,
        "t_max_prompt_ms": 1,
        "lora": [{"id": 0, "scale": 0.5}],
        "logit_bias": [],
        "some_new_field": {"of": "theirs"},
    }
    answer = await ask(service, prompt="import ", **inner)
    assert answer["content"] == plain["content"]
    assert answer["id_slot"] == 3


async def test_sessions_that_nobody_uses_are_deleted_from_the_store(checkpoint: Path) -> None:
    async with running(checkpoint=(checkpoint,), kept_sessions=2) as service:
        for i in range(10):
            await ask(service, prompt=f"{i} text")
        await asyncio.gather(*service.resources.sessionless._forgetting)
        assert len(service.resources.sessionless._texts) == 2
