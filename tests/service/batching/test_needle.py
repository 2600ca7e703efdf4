"""One session through the whole service: alone and among many, it gets the same bytes.

The observed session is the needle, and the many others are the haystack.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from service.http.complete import complete
from service.http.schema import CompleteRequest
from tests.service.batch import ALPHABET, text_of
from tests.service.running import EAGER, Service, comparable, running
from tests.tiny import save_primed_checkpoint

NEEDLE = "def n(ab):\n  é😀"


@pytest.fixture(params=["plain", "adapting"])
def options(
    options: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path
) -> dict[str, Any]:
    """One checkpoint without adaptation, and one whose answers also depend on pages."""
    if request.param == "plain":
        return options
    return options | {"checkpoint": (save_primed_checkpoint(tmp_path / "adapting"),)}


async def type_needle(service: Service) -> list[dict[str, Any]]:
    """All answers to one session's typing, going back, and typing again."""
    answers = []
    text = ""
    for key in NEEDLE + "\b\b\b\b" + "ab":
        text = text[:-1] if key == "\b" else text + key
        answers.append(comparable(await service.complete(session="needle", prefix=text, top=2)))
    return answers


async def test_a_session_among_64_to_128_that_come_and_go_gives_the_same_bytes_as_alone(
    options: dict[str, Any], redis_url: str
) -> None:
    async with running(**options) as service:
        alone = await type_needle(service)
    drawn = random.Random(11)
    async with running(**options, store=redis_url) as service:
        stopping = asyncio.Event()

        async def other(number: int) -> None:
            """Runs other sessions one after another; some are given up half way."""
            life = 0
            while not stopping.is_set():
                life += 1
                text = text_of(drawn.randint(0, 10**6))
                for _ in range(drawn.randint(1, 5)):
                    text += drawn.choice(ALPHABET)
                    asked = asyncio.create_task(
                        service.complete(session=f"other-{number}-{life}", prefix=text)
                    )
                    if drawn.random() < 0.2:
                        await asyncio.wait({asked}, timeout=drawn.random() / 100)
                        asked.cancel()
                    await asyncio.gather(asked, return_exceptions=True)
                if drawn.random() < 0.1:
                    await service.http.delete(f"/sessions/other-{number}-{life}")

        crowd = [asyncio.create_task(other(number)) for number in range(drawn.randint(64, 128))]
        among = await type_needle(service)
        stopping.set()
        await asyncio.gather(*crowd)
    assert among == alone


async def test_two_tenants_with_one_session_id_never_meet(
    options: dict[str, Any], store_url: str
) -> None:
    async with running(**options, store=store_url) as service:
        texts = {"one": "import ", "two": "while "}
        completions = service.resources.completions
        versions: dict[str, int] = {}
        for length in range(1, 6):
            answers = await asyncio.gather(
                *(
                    complete(
                        completions,
                        tenant,
                        CompleteRequest.model_validate(
                            {"session": "s", "prefix": text[:length]} | EAGER
                        ),
                    )
                    for tenant, text in texts.items()
                )
            )
            for (tenant, text), answer in zip(texts.items(), answers, strict=True):
                alone = await service.complete(prefix=text[:length])
                assert answer["completion"] == alone["completion"]
                assert answer["usage"]["characters_absorbed"] == 1
                versions[tenant] = answer["version"]
        await completions.delete("one", "s")
        edit = {"version": versions["two"], "keep": 5, "append": "x"}
        answer = await complete(
            completions,
            "two",
            CompleteRequest.model_validate({"session": "s", "edit": edit} | EAGER),
        )
        assert answer["usage"]["characters_absorbed"] == 1


async def test_two_sessions_begun_as_others_are_cancelled_and_expire_share_no_state(
    options: dict[str, Any], store_url: str
) -> None:
    drawn = random.Random(5)
    async with running(**options, store=store_url, batch_limit=3) as service:
        texts = [text_of(i, longest=200) for i in range(12)]
        alone = [comparable(await service.complete(prefix=text)) for text in texts]
        for round_ in range(12):
            leaving = [
                asyncio.create_task(service.complete(session=f"left-{i}", prefix=text * 20))
                for i, text in enumerate(texts[:6])
            ]
            await asyncio.wait(leaving, timeout=drawn.random() / 50)
            for task in leaving:
                task.cancel()
            deleted = [service.http.delete(f"/sessions/left-{i}") for i in range(6)]
            begun = [
                service.complete(session=f"begun-{round_}-{i}", prefix=text)
                for i, text in enumerate(texts)
            ]
            answers, _ = await asyncio.gather(asyncio.gather(*begun), asyncio.gather(*deleted))
            assert [comparable(answer) for answer in answers] == alone
            await asyncio.gather(*leaving, return_exceptions=True)
