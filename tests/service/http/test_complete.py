"""POST /complete on each store: every answer is that of a fresh computation of the whole text."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis

from model.checkpoint import load
from model.served import Runtime
from tests.service.running import Service, comparable, reference, running

TEXT = (
    "def main():\n    for name in sorted(names):\n        print(name, end='é')\r\n"
    'class Café(Base):\n    """Ein Tag 😀."""\n    def __init__(self):\n        self.x = [1, 2]\n'
    "    return None\n\n\nif __name__ == '__main__':\n    main()\n" * 2
)


@pytest.fixture(scope="module")
def expected(runtime: Runtime) -> list[dict[str, Any]]:
    """The answers of fresh computations after each of the first 200 characters."""
    return [reference(runtime, TEXT[:length], top=3) for length in range(201)]


async def test_typing_200_characters_as_prefix(
    service: Service, expected: list[dict[str, Any]]
) -> None:
    for length in range(201):
        answer = await service.complete(session="typist", prefix=TEXT[:length], top=3)
        assert comparable(answer) == expected[length]
        assert answer["usage"]["characters_absorbed"] <= 1


async def test_typing_200_characters_as_edit(
    service: Service, expected: list[dict[str, Any]]
) -> None:
    answer = await service.complete(session="typist", prefix="")
    for length in range(200):
        edit = {"version": answer["version"], "keep": length, "append": TEXT[length]}
        answer = await service.complete(session="typist", edit=edit, top=3)
        assert comparable(answer) == expected[length + 1]
        assert answer["usage"]["characters_absorbed"] == 1
        assert answer["degraded"] is False


async def test_backspace_restores_the_earlier_completion(service: Service) -> None:
    before = await service.complete(session="s", prefix="for name in na")
    await service.complete(session="s", prefix="for name in nax")
    after = await service.complete(session="s", prefix="for name in na")
    assert comparable(after) == comparable(before)
    assert after["version"] == before["version"]
    assert after["usage"]["characters_absorbed"] == 0


async def test_going_back_by_edit_and_typing_on(service: Service, runtime: Runtime) -> None:
    text = TEXT
    answer = await service.complete(session="s", prefix=text)
    for keep, append in ((150, "x = 1"), (155, ""), (20, "é😀"), (22, "\n"), (0, "from")):
        edit = {"version": answer["version"], "keep": keep, "append": append}
        answer = await service.complete(session="s", edit=edit)
        text = text[:keep] + append
        assert comparable(answer) == reference(runtime, text)


async def test_the_same_request_again_gives_the_same_answer(service: Service) -> None:
    first = await service.complete(session="s", prefix="while tr")
    again = await service.complete(session="s", prefix="while tr")
    assert again["usage"] == {
        "characters_absorbed": 0,
        "steps_computed": 0,
        "steps_reused": first["usage"]["steps_computed"] - len("while tr"),
    }
    assert again["usage"]["steps_reused"] > 0
    assert (comparable(again), again["version"]) == (comparable(first), first["version"])


async def test_the_same_edit_again_is_applied_once(service: Service, runtime: Runtime) -> None:
    opened = await service.complete(session="s", prefix="while tr")
    edit = {"version": opened["version"], "keep": 8, "append": "ue"}
    first = await service.complete(session="s", edit=edit)
    again = await service.complete(session="s", edit=edit)
    assert (comparable(again), again["version"]) == (comparable(first), first["version"])
    assert comparable(again) == reference(runtime, "while true")


@pytest.mark.parametrize("as_edit", [False, True])
async def test_typing_what_was_predicted_computes_only_what_lies_beyond(
    service: Service, runtime: Runtime, as_edit: bool
) -> None:
    text = "import "
    answer = await service.complete(session="s", prefix=text, max_chars=8)
    for _ in range(12):
        typed = answer["completion"][0]
        body: dict[str, Any] = {"prefix": text + typed}
        if as_edit:
            edit = {"version": answer["version"], "keep": len(text), "append": typed}
            body = {"edit": edit}
        text += typed
        answer = await service.complete(session="s", max_chars=8, **body)
        assert comparable(answer) == reference(runtime, text, max_chars=8)
        assert answer["usage"]["steps_computed"] <= 2
        assert answer["usage"]["steps_reused"] >= 2


async def test_a_request_with_other_options_decodes_the_kept_steps_again(
    service: Service, runtime: Runtime
) -> None:
    text = "import "
    plain = await service.complete(session="s", prefix=text, max_chars=20)
    changed: tuple[dict[str, Any], ...] = (
        {"max_chars": 3},
        {"max_chars": 0},
        {"max_chars": 40},
        {"min_confidence": 0.3},
        {"min_confidence": 1.0},
        {"stop": (plain["completion"][1:2],)},
        {"suffix": plain["completion"][:2]},
        {"top": 5},
    )
    for options in changed:
        answer = await service.complete(session="s", prefix=text, **options)
        assert comparable(answer) == reference(runtime, text, **options)


async def test_an_unknown_session_answers_an_edit_with_resync(service: Service) -> None:
    edit = {"version": 1, "keep": 0, "append": "a"}
    status, error = await service.refused(session="nobody", edit=edit)
    assert (status, error["code"], error["version"]) == (409, "resync", None)


async def test_a_stale_edit_is_told_the_version_held(service: Service) -> None:
    old = await service.complete(session="s", prefix="one")
    held = await service.complete(session="s", prefix="one two")
    edit = {"version": old["version"], "keep": 3, "append": "!"}
    status, error = await service.refused(session="s", edit=edit)
    assert (status, error["code"], error["version"]) == (409, "resync", held["version"])


async def test_a_request_without_a_session_gets_a_new_one(service: Service) -> None:
    first = await service.complete(prefix="a")
    second = await service.complete(prefix="a")
    assert first["session"] != second["session"]
    edit = {"version": first["version"], "keep": 1, "append": "b"}
    assert (await service.complete(session=first["session"], edit=edit))["length"] == 2


async def test_nothing_is_left_of_a_deleted_session(service: Service) -> None:
    answer = await service.complete(session="s", prefix="secret text")
    assert (await service.http.delete("/sessions/s")).status_code == 204
    edit = {"version": answer["version"], "keep": 11, "append": "x"}
    status, error = await service.refused(session="s", edit=edit)
    assert (status, error["code"], error["version"]) == (409, "resync", None)
    # If a prediction had been kept, it would be replayed from here.
    await service.complete(session="s", prefix="")
    assert (await service.http.delete("/sessions/s")).status_code == 204
    again = await service.complete(session="s", prefix="")
    assert again["usage"]["steps_reused"] == 0
    assert (await service.http.delete("/sessions/nobody")).status_code == 204


async def test_each_model_answers_for_itself_in_one_session(
    service: Service, runtime: Runtime, other_checkpoint: Path
) -> None:
    other = Runtime(load(other_checkpoint))
    for text in ("a", "ab", "abc"):
        first = await service.complete(session="s", prefix=text, model="tiny")
        second = await service.complete(session="s", prefix=text, model="other")
        assert comparable(first) == reference(runtime, text)
        assert comparable(second) == reference(other, text)
    edit = {"version": second["version"], "keep": 3, "append": "d"}
    assert comparable(await service.complete(session="s", edit=edit)) == reference(runtime, "abcd")


async def test_a_long_text_is_typed_on_at_its_end(memory_service: Service) -> None:
    text = (TEXT * 90)[:20_000]
    answer = await memory_service.complete(session="s", prefix=text)
    for character in "xyz":
        text += character
        edit = {"version": answer["version"], "keep": len(text) - 1, "append": character}
        answer = await memory_service.complete(session="s", edit=edit)
        assert answer["usage"]["characters_absorbed"] == 1
    fresh = await memory_service.complete(prefix=text)
    assert comparable(answer) == comparable(fresh)
    edit = {"version": answer["version"], "keep": 10, "append": ""}
    status, error = await memory_service.refused(session="s", edit=edit)
    assert (status, error["code"], error["field"]) == (409, "resync", "edit.keep")
    back = await memory_service.complete(session="s", prefix=text[:19_000])
    assert back["usage"]["characters_absorbed"] < 4200


async def test_two_services_share_sessions_on_redis(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        answer = await one.complete(session="s", prefix="from here ")
        edit = {"version": answer["version"], "keep": 10, "append": "to"}
        there = await two.complete(session="s", edit=edit)
        assert comparable(there) == reference(runtime, "from here to")
        assert there["usage"]["characters_absorbed"] == 2
        back = await one.complete(session="s", prefix="from here to there")
        assert back["usage"]["characters_absorbed"] == 6


async def test_two_services_race_for_one_session(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with (
        running(**options, store=redis_url) as one,
        running(**options, store=redis_url) as two,
    ):
        await one.complete(session="s", prefix="start ")
        for i in range(10):
            texts = (f"start {i} left", f"start {i} right")
            answers = await asyncio.gather(
                one.complete(session="s", prefix=texts[0]),
                two.complete(session="s", prefix=texts[1]),
            )
            for text, answer in zip(texts, answers, strict=True):
                assert comparable(answer) == reference(runtime, text)
                assert answer["degraded"] is False
            versions = {answer["version"]: t for t, answer in zip(texts, answers, strict=True)}
            status, error = await one.refused(
                session="s", edit={"version": 0, "keep": 0, "append": ""}
            )
            assert (status, error["code"]) == (409, "resync")
            held = versions[error["version"]]
            edit = {"version": error["version"], "keep": len(held), "append": "!"}
            answer = await two.complete(session="s", edit=edit)
            assert comparable(answer) == reference(runtime, held + "!")


async def test_a_session_expires_and_a_prefix_makes_it_again(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with running(**options, store=redis_url) as service:
        answer = await service.complete(session="s", prefix="hello")
        with redis.Redis.from_url(redis_url) as client:
            (key,) = client.keys()
            client.pexpire(key, 1)
            client.blpop("nothing", timeout=0.05)
        edit = {"version": answer["version"], "keep": 5, "append": "x"}
        assert (await service.refused(session="s", edit=edit))[1]["version"] is None
        again = await service.complete(session="s", prefix="hellox")
        assert comparable(again) == reference(runtime, "hellox")


async def test_a_damaged_record_counts_as_absent_and_is_counted(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    async with (
        running(**options, store=redis_url) as before,
        running(**options, store=redis_url) as service,
    ):
        for damage in (b"", b"\0", b"foreign value", None):
            answer = await before.complete(session="s", prefix="hello")
            with redis.Redis.from_url(redis_url) as client:
                (key,) = client.keys()
                value = client.get(key)
                assert isinstance(value, bytes)
                client.set(key, value[:-1] + b"?" if damage is None else damage)
            edit = {"version": answer["version"], "keep": 5, "append": "x"}
            status, error = await service.refused(session="s", edit=edit)
            assert (status, error["code"]) == (409, "resync")
            again = await service.complete(session="s", prefix="hellox")
            assert comparable(again) == reference(runtime, "hellox")
            assert again["degraded"] is False
            service.resources.storage._kept.pop(key.decode())
        assert service.resources.storage.unreadable == 6
