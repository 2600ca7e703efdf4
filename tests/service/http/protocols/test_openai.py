"""OpenAI's completions, requested by OpenAI's own client without changes."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from model.completing import complete
from model.decoding.options import Completion, Options
from model.served import Runtime
from tests.service.running import Service, listening, until

ALL: dict[str, Any] = {"by_value": False, "trigger": "manual", "max_lines": 1000, "indent": 0}


@pytest.fixture
async def service(checkpoint: Path, other_checkpoint: Path) -> AsyncIterator[Service]:
    async with listening(checkpoint=(checkpoint, other_checkpoint)) as started:
        yield started


def expected(runtime: Runtime, prompt: str, **options: Any) -> Completion:
    """The completion of a fresh computation of the whole text."""
    return complete(runtime, prompt, Options(**(ALL | options))).completion


async def test_a_completion(client: openai.AsyncOpenAI, runtime: Runtime) -> None:
    made = await client.completions.create(
        model="tiny", prompt="import nu", temperature=0, max_tokens=20
    )
    found = expected(runtime, "import nu", max_chars=20)
    (choice,) = made.choices
    assert (choice.text, choice.index, choice.logprobs) == (found.text, 0, None)
    assert choice.finish_reason == ("length" if found.finish_reason == "max_chars" else "stop")
    assert (made.object, made.model) == ("text_completion", "tiny")
    assert made.id.startswith("cmpl-")
    assert made.system_fingerprint == f"fp_{runtime.fingerprint[:16]}"
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (9, len(found.text))
    assert made.usage.total_tokens == 9 + len(found.text)


async def test_the_blocking_client_works_too(service: Service, runtime: Runtime) -> None:
    def ask() -> str:
        url = f"{service.http.base_url}/v1"
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            made = client.completions.create(model="tiny", prompt="a", temperature=0)
            streamed = client.completions.create(
                model="tiny", prompt="a", temperature=0, stream=True
            )
            assert "".join(chunk.choices[0].text for chunk in streamed) == made.choices[0].text
            return made.choices[0].text

    assert await asyncio.to_thread(ask) == expected(runtime, "a", max_chars=16).text


@pytest.mark.parametrize("temperature", [0.0, 0.9])
async def test_a_stream_says_what_the_whole_answer_says(
    client: openai.AsyncOpenAI, temperature: float
) -> None:
    asked: dict[str, Any] = {
        "model": "tiny",
        "prompt": "def main():\n",
        "max_tokens": 60,
        "temperature": temperature,
        "seed": 5,
        "logprobs": 2,
    }
    whole = await client.completions.create(**asked)
    stream = await client.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    assert len(chunks) >= 2
    assert len({chunk.id for chunk in chunks}) == 1
    text = "".join(chunk.choices[0].text for chunk in chunks)
    assert text == whole.choices[0].text
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + [whole.choices[0].finish_reason]
    assert all(chunk.usage is None for chunk in chunks)
    assert (last.choices, last.usage) == ([], last.usage)
    assert last.usage is not None
    assert whole.usage is not None
    assert last.usage.completion_tokens == whole.usage.completion_tokens == len(text)
    together: dict[str, list[Any]] = {}
    for chunk in chunks:
        for name, values in chunk.choices[0].logprobs or {}:
            together.setdefault(name, []).extend(values)
    assert whole.choices[0].logprobs is not None
    assert together == whole.choices[0].logprobs.model_dump()


async def test_the_stream_ends_as_documented(service: Service) -> None:
    body = {"model": "tiny", "prompt": "a", "max_tokens": 3, "stream": True}
    response = await service.http.post("/v1/completions", json=body)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: ") for event in events[:-1])
    assert "usage" not in json.loads(events[0][6:])


async def test_only_what_is_new_of_a_prompt_is_paid_for(client: openai.AsyncOpenAI) -> None:
    text = "def main():\n    for name in sorted(names):\n        print(name)\n" * 40
    first = len(text)
    for length in range(first, first + 30):
        prompt = text + "x = 1 # a comment that is typed"[: length - first]
        made = await client.completions.create(model="tiny", prompt=prompt, max_tokens=8)
        assert made.usage is not None
        details = made.usage.prompt_tokens_details
        assert details is not None
        new = length if length == first else 1
        assert (made.usage.prompt_tokens, details.cached_tokens) == (length, length - new)


async def test_requests_at_once_supersede_none_of_each_other(
    client: openai.AsyncOpenAI, runtime: Runtime
) -> None:
    start = "abc def\n" * 200
    asked = [start + "x" * (i % 5) for i in range(40)]
    made = await asyncio.gather(
        *(client.completions.create(model="tiny", prompt=p, temperature=0) for p in asked)
    )
    for prompt, answer in zip(asked, made, strict=True):
        assert answer.choices[0].text == expected(runtime, prompt, max_chars=16).text


async def test_a_seed_names_a_text_and_choices_are_different_draws(
    client: openai.AsyncOpenAI, runtime: Runtime
) -> None:
    async def draw(**more: Any) -> list[str]:
        made = await client.completions.create(
            model="tiny", prompt="abc", temperature=0.8, max_tokens=30, **more
        )
        assert [choice.index for choice in made.choices] == list(range(len(made.choices)))
        return [choice.text for choice in made.choices]

    texts = await draw(n=4, seed=-3)
    assert texts == await draw(n=4, seed=-3)
    assert len(set(texts)) == 4
    assert texts[0] == (await draw(seed=-3))[0]
    assert texts[0] == expected(runtime, "abc", max_chars=30, temperature=0.8, seed=2**64 - 3).text
    assert await draw() != await draw()


async def test_best_of_gives_the_most_probable_of_the_draws(client: openai.AsyncOpenAI) -> None:
    def mean(choice: Any) -> float:
        values: list[float] = choice.logprobs.token_logprobs
        return sum(values) / len(values)

    asked: dict[str, Any] = {"model": "tiny", "prompt": "abc", "logprobs": 0, "seed": 1}
    drawn = await client.completions.create(**asked, n=8)
    best = await client.completions.create(**asked, n=2, best_of=8)
    ranked = sorted(drawn.choices, key=mean, reverse=True)
    assert [choice.text for choice in best.choices] == [choice.text for choice in ranked[:2]]
    assert best.usage is not None
    assert drawn.usage is not None
    assert best.usage.completion_tokens == drawn.usage.completion_tokens
    stream = await client.completions.create(**asked, n=2, best_of=8, stream=True)
    texts = ["", ""]
    async for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in best.choices]


async def test_the_most_probable_choices_come_from_a_beam(client: openai.AsyncOpenAI) -> None:
    made = await client.completions.create(
        model="tiny", prompt="import ", temperature=0, n=5, max_tokens=6
    )
    texts = [choice.text for choice in made.choices]
    assert len(texts) == 5
    assert len(set(texts)) > 1


async def test_each_prompt_has_its_choices(client: openai.AsyncOpenAI, runtime: Runtime) -> None:
    prompts = ["import os\n", "", "class A:\n"]
    made = await client.completions.create(model="tiny", prompt=prompts, temperature=0)
    assert [choice.text for choice in made.choices] == [
        expected(runtime, prompt, max_chars=16).text for prompt in prompts
    ]
    stream = await client.completions.create(
        model="tiny", prompt=prompts, temperature=0, n=2, echo=True, stream=True
    )
    texts = [""] * 6
    async for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    for i, text in enumerate(texts):
        assert text.startswith(prompts[i // 2])
    assert made.usage is not None
    assert made.usage.prompt_tokens == len("".join(prompts))


async def test_langchains_default_of_twenty_prompts_gets_a_whole_answer_each(
    client: openai.AsyncOpenAI, runtime: Runtime
) -> None:
    """langchain_openai sends twenty prompts in one request, and asks for 256 tokens."""
    prompts = [f"def function_{number}(" for number in range(20)]
    made = await client.completions.create(
        model="tiny", prompt=prompts, max_tokens=256, temperature=0
    )
    assert [choice.text for choice in made.choices] == [
        expected(runtime, prompt, max_chars=256).text for prompt in prompts
    ]


async def test_a_long_list_of_prompts_leaves_room_for_other_clients(
    client: openai.AsyncOpenAI, service: Service
) -> None:
    scheduler, most = service.resources.scheduler, 0
    prompts = [f"{number} " * 500 for number in range(128)]
    asked = asyncio.create_task(
        client.completions.create(model="tiny", prompt=prompts, max_tokens=1000)
    )
    while not asked.done():
        most = max(most, scheduler._unfinished)
        await asyncio.sleep(0)
    assert most == 16
    assert [choice.index for choice in (await asked).choices] == list(range(128))


async def test_as_many_stop_strings_as_an_editor_sends(client: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "prompt": "import ", "temperature": 0}
    plain = (await client.completions.create(**asked, max_tokens=40)).choices[0].text
    stop = [f"<|special_{number}|>" for number in range(63)] + [plain[5:8]]
    whole = await client.completions.create(**asked, max_tokens=40, stop=stop)
    assert whole.choices[0].text == plain[: plain.index(plain[5:8])]
    stream = await client.completions.create(**asked, max_tokens=40, stop=stop, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == whole.choices[0].text


@pytest.mark.parametrize(
    "sent",
    [
        {"repetition_penalty": 1.0, "length_penalty": 1.0, "min_p": 0.0, "top_k": -1},
        {"ignore_eos": False, "skip_special_tokens": True, "stop_token_ids": [], "min_tokens": 0},
        {"use_beam_search": False, "guided_json": None, "prompt_logprobs": None, "priority": 0},
        {"cache_prompt": True, "id_slot": -1, "samplers": ["top_k"], "repeat_penalty": 1.0},
        {"typical_p": 1.0, "mirostat": 0, "grammar": "", "repeat_last_n": 64, "logit_bias": []},
        {"metadata": {"a": "b"}, "response_format": {"type": "text"}, "store": False},
        {"max_completion_tokens": 16, "service_tier": "auto"},
    ],
)
async def test_what_clients_of_other_servers_add_is_harmless(
    client: openai.AsyncOpenAI, sent: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"model": "tiny", "prompt": "import ", "temperature": 0}
    plain = await client.completions.create(**asked)
    made = await client.completions.create(**asked, extra_body=sent)
    assert made.choices == plain.choices


async def test_max_completion_tokens_is_max_tokens(client: openai.AsyncOpenAI) -> None:
    async def length(**limits: int | None) -> int:
        made = await client.completions.create(
            model="tiny", prompt="import ", temperature=0, extra_body=limits
        )
        return len(made.choices[0].text)

    assert await length(max_completion_tokens=3) == 3
    assert await length(max_completion_tokens=30, max_tokens=5) == 5
    assert await length(max_completion_tokens=None) == await length()


async def test_stop_suffix_and_echo(client: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "tiny",
        "prompt": "import ",
        "temperature": 0,
        "max_tokens": 40,
    }
    plain = (await client.completions.create(**asked)).choices[0].text
    stop = plain[5:8]
    for given in (stop, [stop], ["never", stop]):
        choice = (await client.completions.create(**asked, stop=given)).choices[0]
        assert (choice.text, choice.finish_reason) == (plain[: plain.index(stop)], "stop")
    choice = (await client.completions.create(**asked, suffix=plain[10:14])).choices[0]
    assert not choice.text.endswith(plain[10:14])
    assert len(choice.text) < len(plain)
    echoed = (await client.completions.create(**asked, echo=True)).choices[0]
    assert echoed.text == "import " + plain


async def test_logprobs_are_those_of_the_model(
    client: openai.AsyncOpenAI, runtime: Runtime
) -> None:
    made = await client.completions.create(
        model="tiny", prompt="import ", temperature=0, logprobs=5, max_tokens=10
    )
    found = expected(runtime, "import ", max_chars=10, top_each=5)
    said = made.choices[0].logprobs
    assert said is not None
    assert said.tokens == [c.text for c in found.chars]
    assert said.text_offset == list(range(7, 7 + len(found.text)))
    assert said.token_logprobs == pytest.approx([math.log(c.probability) for c in found.chars])
    assert said.top_logprobs is not None
    for top, char in zip(said.top_logprobs, found.chars, strict=True):
        assert 5 <= len(top) <= 6
        assert max(top, key=lambda text: top[text]) == char.text
        assert top[char.text] == pytest.approx(math.log(char.probability))


async def test_nothing_may_be_asked_for(client: openai.AsyncOpenAI) -> None:
    made = await client.completions.create(model="tiny", prompt="abc", max_tokens=0, echo=True)
    assert (made.choices[0].text, made.choices[0].finish_reason) == ("abc", "length")


async def test_the_models(client: openai.AsyncOpenAI) -> None:
    models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["tiny", "other"]
    assert {model.object for model in models} == {"model"}
    assert (await client.models.retrieve("other")).id == "other"
    with pytest.raises(openai.NotFoundError) as refused:
        await client.models.retrieve("gpt/none")
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "none"}, 404, "model_not_found", "model"),
        ({"prompt": 5}, 400, None, "prompt"),
        ({"prompt": [1, 2]}, 400, None, "prompt"),
        ({"prompt": ["a"] * 129}, 400, None, "prompt"),
        ({"prompt": "a" * 200_001}, 400, "context_length_exceeded", "prompt"),
        ({"prompt": "a" * 3_000_000}, 400, "context_length_exceeded", "prompt"),
        ({"prompt": ["a" * 30_000] * 100}, 400, "context_length_exceeded", "prompt"),
        ({"suffix": "a" * 200_001}, 400, "context_length_exceeded", "suffix"),
        ({"max_tokens": -1}, 400, None, "max_tokens"),
        ({"max_tokens": "a"}, 400, None, "max_tokens"),
        ({"temperature": 2.5}, 400, None, "temperature"),
        ({"logprobs": 6}, 400, None, "logprobs"),
        (
            {"echo": True, "logprobs": 1, "n": 2, "prompt": ["a" * 4097] * 2},
            400,
            "context_length_exceeded",
            "prompt",
        ),
        ({"n": 0}, 400, None, "n"),
        ({"stop": ["a"] * 65}, 400, None, "stop"),
        ({"stop": ""}, 400, None, "stop"),
        ({"presence_penalty": 0.5}, 400, "unsupported_parameter", "presence_penalty"),
        ({"logit_bias": {"50256": -100}}, 400, "unsupported_parameter", "logit_bias"),
        ({"repetition_penalty": 1.1}, 400, "unsupported_parameter", "repetition_penalty"),
        ({"guided_regex": "a+"}, 400, "unsupported_parameter", "guided_regex"),
        ({"grammar": "root ::= x"}, 400, "unsupported_parameter", "grammar"),
        ({"top_k": -2}, 400, None, "top_k"),
        ({"surname": 1}, 400, None, "surname"),
    ],
)
async def test_errors_have_openais_form(
    service: Service, body: dict[str, Any], status: int, code: str | None, param: str
) -> None:
    response = await service.http.post("/v1/completions", json={"prompt": "a"} | body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}


async def test_the_client_raises_its_own_errors(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.completions.create(model="davinci-002", prompt="a")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert "tiny" in unknown.value.message
    with pytest.raises(openai.BadRequestError) as refused:
        await client.completions.create(model="tiny", prompt="a", temperature=3)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="tiny", messages=[])


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json(service: Service, body: bytes) -> None:
    response = await service.http.post("/v1/completions", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_a_full_queue_asks_to_try_again(checkpoint: Path) -> None:
    async with listening(checkpoint=(checkpoint,), queue_limit=1) as service:
        body = {"prompt": ["a", "b", "c"]}
        response = await service.http.post("/v1/completions", json=body)
        assert response.status_code == 503
        assert response.json()["error"]["type"] == "server_error"
        assert response.headers["Retry-After"] == "1"


async def test_a_client_that_stops_reading_a_stream_frees_what_computes(
    client: openai.AsyncOpenAI, service: Service
) -> None:
    stream = await client.completions.create(
        model="tiny", prompt="abc def\n" * 20_000, max_tokens=1000, n=8, stream=True
    )
    await anext(aiter(stream))
    await stream.close()
    await until(lambda: service.taken == 0)
