"""The probabilities of a prompt over OpenAI's API, by which evaluation harnesses score texts."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from model.served import Runtime
from service.errors import Overloaded
from tests.cli.command import Command
from tests.service.running import Service, listening, until
from tests.tiny import save_primed_checkpoint

# It repeats itself, which adaptation notices, and has characters that are spelt in bytes.
TEXT = "naïve (café)\nnaïve (café)\nna€ve (\N{GRINNING FACE}).\nnaïve (ca"


@pytest.fixture(scope="module")
def primed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_primed_checkpoint(tmp_path_factory.mktemp("checkpoints") / "primed")


@pytest.fixture
async def service(checkpoint: Path, primed: Path) -> AsyncIterator[Service]:
    async with listening(checkpoint=(checkpoint, primed)) as started:
        yield started


@pytest.fixture(params=["tiny", "primed"])
def asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What lm-evaluation-harness asks of each checkpoint."""
    return {"model": request.param, "echo": True, "logprobs": 1, "temperature": 0}


def of(choice: Any) -> Any:
    assert choice.logprobs is not None
    return choice.logprobs


async def test_a_prompts_probabilities_are_those_of_the_verb_score(
    client: openai.AsyncOpenAI,
    asked: dict[str, Any],
    command: Command,
    checkpoint: Path,
    primed: Path,
) -> None:
    made = await client.completions.create(**asked, prompt=TEXT, max_tokens=0)
    (choice,) = made.choices
    logprobs = of(choice)
    folder = {"tiny": checkpoint, "primed": primed}[asked["model"]]
    scored = command("score", "--checkpoint", folder, "--each", "--json", "-", stdin=TEXT)
    bits = [each["bits"] for each in json.loads(scored.out)["each"]]
    assert choice.text == "".join(logprobs.tokens) == TEXT
    assert logprobs.token_logprobs[0] is logprobs.top_logprobs[0] is None
    assert logprobs.token_logprobs[1:] == pytest.approx(
        [-each * math.log(2) for each in bits[1:]], rel=1e-12
    )
    assert logprobs.text_offset == list(range(len(TEXT)))
    assert (choice.finish_reason, made.usage and made.usage.completion_tokens) == ("length", 0)


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_a_prompts_probabilities_are_those_of_its_plain_text_whatever_its_line_ends(
    client: openai.AsyncOpenAI, asked: dict[str, Any], line_end: str
) -> None:
    sent = TEXT.replace("\n", line_end)
    texts = [TEXT, sent, "\ufeff" + sent]
    made = await client.completions.create(**asked, prompt=texts, max_tokens=1)
    plain, pairs, marked = map(of, made.choices)
    assert "".join(pairs.tokens[:-1]) == sent
    assert pairs.text_offset[:-1] == list(range(len(sent)))
    read = [
        value
        for value, token, before in zip(
            pairs.token_logprobs, pairs.tokens, ("", *pairs.tokens), strict=False
        )
        if (before, token) != ("\r", "\n")
    ]
    assert read == plain.token_logprobs
    assert sum(value == 0 for value in pairs.token_logprobs) >= sent.count("\r\n")
    assert marked.token_logprobs[2:] == pairs.token_logprobs[1:]


async def test_a_character_is_as_probable_in_the_prompt_as_where_it_would_follow(
    client: openai.AsyncOpenAI, asked: dict[str, Any]
) -> None:
    asked |= {"logprobs": 5}
    whole = await client.completions.create(**asked, prompt=TEXT, max_tokens=0)
    for position in range(1, len(TEXT), 7):
        beginning = asked | {"prompt": TEXT[:position], "max_tokens": 1, "echo": False}
        made = await client.completions.create(**beginning)
        (following,) = of(made.choices[0]).top_logprobs
        there = of(whole.choices[0]).top_logprobs[position]
        both = there.keys() & following.keys()
        assert len(both) >= 5
        assert {c: there[c] for c in both} == {c: following[c] for c in both}


async def test_the_most_probable_character_is_seen_to_be_it(client: openai.AsyncOpenAI) -> None:
    """The harness compares the probability of a token with the highest one, bit for bit."""
    asked: dict[str, Any] = {"model": "tiny", "echo": True, "logprobs": 1, "temperature": 0}
    made = await client.completions.create(**asked, prompt="import ", max_tokens=30)
    text = made.choices[0].text
    assert len(text) > 30
    again = await client.completions.create(**asked, prompt=text, max_tokens=1)
    for logprobs in (of(made.choices[0]), of(again.choices[0])):
        greedy = [
            value == max(top.values())
            for value, top in zip(
                logprobs.token_logprobs[1:], logprobs.top_logprobs[1:], strict=True
            )
        ]
        assert not all(greedy[:6])
        assert all(greedy[6:])


async def test_what_follows_comes_after_the_prompts_probabilities_for_each_choice(
    client: openai.AsyncOpenAI, asked: dict[str, Any]
) -> None:
    prompts = ["import os\n", "", TEXT]
    made = await client.completions.create(**asked, prompt=prompts, max_tokens=5, n=2)
    for choice in made.choices:
        prompt, logprobs = prompts[choice.index // 2], of(choice)
        assert choice.text.startswith(prompt)
        assert len(choice.text) > len(prompt)
        assert "".join(logprobs.tokens) == choice.text
        assert logprobs.text_offset == list(range(len(choice.text)))
        assert [p is None for p in logprobs.token_logprobs] == [
            bool(prompt) and not position for position in range(len(choice.text))
        ]


async def test_a_stream_has_the_prompts_probabilities_first(
    client: openai.AsyncOpenAI, asked: dict[str, Any]
) -> None:
    asked = asked | {"prompt": ["import os\n", TEXT], "max_tokens": 9}
    whole = await client.completions.create(**asked)
    texts, together = ["", ""], [dict[str, list[Any]](), dict[str, list[Any]]()]
    async for chunk in await client.completions.create(**asked, stream=True):
        (choice,) = chunk.choices
        texts[choice.index] += choice.text
        for name, values in choice.logprobs or {}:
            together[choice.index].setdefault(name, []).extend(values)
    assert texts == [choice.text for choice in whole.choices]
    assert together == [of(choice).model_dump() for choice in whole.choices]


async def test_a_short_text_is_scored_while_a_long_one_is(
    client: openai.AsyncOpenAI, asked: dict[str, Any]
) -> None:
    long = asyncio.create_task(
        client.completions.create(**asked, prompt="abc def\n" * 2000, max_tokens=0)
    )
    await client.completions.create(**asked, prompt="abc", max_tokens=0)
    assert not long.done()
    await long


async def test_the_scoring_for_a_client_that_leaves_ends(
    client: openai.AsyncOpenAI, asked: dict[str, Any], service: Service
) -> None:
    scoring = service.resources.scoring
    work = client.completions.create(**asked, prompt="abc def\n" * 2000, max_tokens=0)
    leaving = asyncio.create_task(work)
    await until(lambda: scoring._unfinished == 1)
    leaving.cancel()
    await until(lambda: scoring._unfinished == 0)
    assert scoring._thread._work_queue.qsize() <= 1


async def test_too_many_texts_to_score_ask_to_try_again(primed: Path) -> None:
    async with listening(checkpoint=(primed,), queue_limit=1) as service:
        body = {"prompt": "abc def\n" * 2000, "max_tokens": 0, "echo": True, "logprobs": 0}
        first = asyncio.create_task(service.http.post("/v1/completions", json=body))
        await until(lambda: service.resources.scoring._unfinished == 1)
        refused = await service.http.post("/v1/completions", json=body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert (await first).status_code == 200


async def test_a_service_that_stops_scores_no_further(runtime: Runtime, checkpoint: Path) -> None:
    async with listening(checkpoint=(checkpoint,)) as service:
        scoring = service.resources.scoring
        work = asyncio.create_task(scoring.score(runtime, "abc def\n" * 2000, 0, "prompt"))
        await until(lambda: scoring._unfinished == 1)
        await scoring.stop()
        with pytest.raises(Overloaded):
            await work


async def test_characters_are_counted_as_the_harness_counts_tokens(service: Service) -> None:
    text = "naïve \N{GRINNING FACE}\r\n"
    sent = {"prompt": text, "add_special_tokens": False}
    counted = (await service.http.post("/tokenize", json=sent)).json()
    assert counted == {"tokens": [ord(c) for c in text], "count": len(text)}
    for numbers in (counted["tokens"], list(map(float, counted["tokens"]))):
        told = await service.http.post("/detokenize", json={"tokens": numbers})
        assert told.json() == {"prompt": text}
    info = (await service.http.get("/tokenizer_info")).json()
    assert (info["bos_token"], info["eos_token"]) == ("\n", None)


@pytest.mark.parametrize("tokens", [[0xD800], [0x110000], [-1], "ab", [1.5], [True]])
async def test_numbers_of_no_characters_are_refused(service: Service, tokens: Any) -> None:
    refused = await service.http.post("/detokenize", json={"tokens": tokens})
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


async def test_a_text_after_a_line_end_scores_as_the_harness_adds_it_up(
    client: openai.AsyncOpenAI, asked: dict[str, Any], command: Command, primed: Path
) -> None:
    """It leaves out the character before the text, and the one that is generated."""
    made = await client.completions.create(
        **asked | {"model": "primed"}, prompt=["\n" + TEXT, "\nabc"], max_tokens=1
    )
    added = sum(of(made.choices[0]).token_logprobs[1:-1])
    scored = command("score", "--checkpoint", primed, "--each", "--json", "-", stdin="\n" + TEXT)
    figures = json.loads(scored.out)
    line_end = -figures["each"][0]["bits"] * math.log(2)
    assert added == pytest.approx(figures["log_probability"] - line_end, rel=1e-12)
