"""A bad network between the service and Redis: no wrong answer, no wait, no leaked connection."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from model.served import Runtime
from tests.redis_server import RedisServer
from tests.service.proxy import Proxy, proxy_to
from tests.service.running import EAGER, Service, comparable, reference, running, until

TEXT = "for name in sorted(names):\n    print(name)\n" * 4
CONNECTIONS = 2


@pytest.fixture
async def proxy(redis_server: RedisServer, redis_url: str) -> AsyncIterator[Proxy]:
    async with proxy_to(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def service(options: dict[str, Any], proxy: Proxy) -> AsyncIterator[Service]:
    """The service with its Redis behind the proxy, and with few connections."""
    store = f"redis://127.0.0.1:{proxy.port}/0"
    options |= {"store_timeout_seconds": 0.25, "store_connections": CONNECTIONS}
    async with running(**options, store=store) as started:
        yield started


def now() -> float:
    """A clock in seconds that does not count the time in which this thread waits for a core."""
    waited = int(Path("/proc/thread-self/schedstat").read_text("utf-8").split()[1])
    return time.monotonic() - waited / 1e9


async def timed(service: Service, **body: Any) -> tuple[float, int, dict[str, Any]]:
    """How long a request took, its status and its answer."""
    begun = now()
    response = await service.http.post("/complete", json=EAGER | body)
    return now() - begun, response.status_code, response.json()


async def comes_back(service: Service, session: str, text: str) -> dict[str, Any]:
    """The answer to an edit; raises AssertionError if there is none within two seconds."""
    begun, status = now(), 0
    while status != 200:
        assert now() - begun < 2
        _, _, said = await timed(service, session=session, prefix=text)
        edit = {"version": said["version"], "keep": len(text), "append": "!"}
        if not said["degraded"]:
            _, status, said = await timed(service, session=session, edit=edit)
        await asyncio.sleep(0.02)
    return said


FAULTS: dict[str, dict[str, Any]] = {
    "delays": {"delay": 0.05},
    "delays beyond the timeout": {"delay": 0.4},
    "drops": {"dropping": True},
    "cuts at once": {"cut_after": 0},
    "cuts in mid-reply": {"cut_after": 3},
    "refuses": {"refusing": True},
    "narrows": {"bytes_per_second": 20_000},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_makes_a_wrong_answer_or_a_long_wait(
    service: Service, proxy: Proxy, runtime: Runtime, fault: str
) -> None:
    text = TEXT[:20]
    answer = await service.complete(session="s", prefix=text)
    for name, value in FAULTS[fault].items():
        setattr(proxy, name, value)
    for key in TEXT[20:32]:
        edit = {"version": answer["version"], "keep": len(text), "append": key}
        text += key
        seconds, status, said = await timed(service, session="s", edit=edit)
        assert seconds < 1
        if status != 200:
            assert said["error"]["code"] in ("store_unavailable", "resync")
            seconds, status, said = await timed(service, session="s", prefix=text)
            assert (status, seconds < 1) == (200, True)
        assert comparable(said) == reference(runtime, text)
        answer = said
    proxy.heal()
    assert comparable(await comes_back(service, "s", text)) == reference(runtime, text + "!")


async def test_a_network_that_fails_in_any_way_at_any_moment_leaks_no_connection(
    service: Service, proxy: Proxy, runtime: Runtime
) -> None:
    drawn = random.Random(7)
    texts = [""] * 6
    answers: list[tuple[str, dict[str, Any]]] = []

    async def type_into(number: int) -> None:
        text = texts[number] = texts[number][: drawn.randint(0, 40)] + drawn.choice("abc d\n")
        seconds, status, said = await timed(service, session=f"s{number}", prefix=text)
        assert (status, seconds < 1) == (200, True)
        answers.append((text, comparable(said)))

    for _ in range(25):
        proxy.heal()
        for name, value in FAULTS[drawn.choice(list(FAULTS))].items():
            setattr(proxy, name, value)
        asked = [asyncio.create_task(type_into(number)) for number in range(6)]
        if drawn.random() < 0.5:
            await asyncio.wait(asked, timeout=drawn.random() / 20)
            asked.pop().cancel()
        await asyncio.gather(*asked)
    proxy.heal()
    await comes_back(service, "s0", texts[0])
    await asyncio.gather(*(type_into(number) for number in range(6)))
    await until(lambda: proxy.open_now <= CONNECTIONS)
    expected = {text: reference(runtime, text) for text, _ in answers}
    assert all(answer == expected[text] for text, answer in answers)


async def test_while_redis_is_away_a_key_waits_no_longer_and_service_comes_back_by_itself(
    options: dict[str, Any], own_redis: RedisServer
) -> None:
    async with running(**options, store=own_redis.url) as service:

        async def median_of_keys(degraded: bool) -> float:
            times = []
            for length in range(60):
                seconds, _, said = await timed(service, session="s", prefix=TEXT[:length])
                assert said["degraded"] is degraded
                times.append(seconds)
            return statistics.median(times)

        with_redis = await median_of_keys(degraded=False)
        own_redis.stop()
        await timed(service, session="s", prefix="")
        assert await median_of_keys(degraded=True) < with_redis + 0.005
        assert (await service.http.get("/readyz")).status_code == 503
        own_redis.start()
        await comes_back(service, "s", TEXT)
        assert (await service.http.get("/readyz")).status_code == 200
