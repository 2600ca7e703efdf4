"""A bad network between the service and Redis: no wrong answer, no wait, no leaked connection."""

import asyncio
import random
import statistics
from collections.abc import AsyncIterator
from typing import Any

import pytest

from model.runtime import Runtime
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
    """The service with its Redis behind the proxy, and room for few connections."""
    store = f"redis://127.0.0.1:{proxy.port}/0"
    async with running(**options, store=store, store_connections=CONNECTIONS) as started:
        yield started


def now() -> float:
    return asyncio.get_running_loop().time()


async def timed(service: Service, **body: Any) -> tuple[float, int, dict[str, Any]]:
    """How long a request took, its status and its answer."""
    begun = now()
    response = await service.http.post("/complete", json=EAGER | body)
    return now() - begun, response.status_code, response.json()


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
    begun = now()
    while (await timed(service, session="s", prefix=text))[2]["degraded"]:
        assert now() - begun < 2
        await asyncio.sleep(0.02)
    edit = {"version": answer["version"], "keep": len(text), "append": "!"}
    assert comparable(await service.complete(session="s", edit=edit)) == reference(
        runtime, text + "!"
    )


async def test_a_network_that_fails_in_any_way_at_any_moment_leaks_no_connection(
    service: Service, proxy: Proxy, runtime: Runtime
) -> None:
    drawn = random.Random(7)
    texts = [""] * 6
    expected: dict[str, dict[str, Any]] = {}

    async def type_into(number: int) -> None:
        texts[number] = texts[number][: drawn.randint(0, 40)] + drawn.choice("abc d\n")
        seconds, status, said = await timed(service, session=f"s{number}", prefix=texts[number])
        assert (status, seconds < 1.5) == (200, True)
        if texts[number] not in expected:
            expected[texts[number]] = reference(runtime, texts[number])
        assert comparable(said) == expected[texts[number]]

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
    begun = now()
    while (await timed(service, session="s0", prefix=texts[0]))[2]["degraded"]:
        assert now() - begun < 2
        await asyncio.sleep(0.02)
    await asyncio.gather(*(type_into(number) for number in range(6)))
    await until(lambda: proxy.open_now <= CONNECTIONS)


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
        begun = now()
        while (await timed(service, session="s", prefix=TEXT))[2]["degraded"]:
            assert now() - begun < 2
            await asyncio.sleep(0.02)
        assert (await service.http.get("/readyz")).status_code == 200
