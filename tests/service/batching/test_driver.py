"""What the driver keeps between the jobs of a session, and what becomes of jobs that end early."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import CharProbability, Options
from model.errors import TextError
from model.served import Runtime
from service.batching.driver import Driver
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job
from service.errors import ComputationFailed, Overloaded
from service.sessions.digests import Digests
from tests.service.batch import EAGER, job, text_of
from tests.service.running import until
from tests.tiny import save_primed_checkpoint

TEXT = "def main(ab):\n    for x in names.items():\n        print(x, "
ENDLESS = "abc " * 50_000


@pytest.fixture(scope="module")
def adapting(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime(load(save_primed_checkpoint(tmp_path_factory.mktemp("checkpoints") / "primed")))


@pytest.fixture
def page_cache() -> PageCache:
    return PageCache(2**30)


@pytest.fixture
async def driver(adapting: Runtime, page_cache: PageCache) -> AsyncIterator[Driver]:
    started = Driver([adapting], 4, 8, float("inf"), page_cache)
    started.start()
    yield started
    await started.stop()


def driven(
    runtime: Runtime, text: str, options: Options = EAGER, before: Computed | None = None
) -> Job:
    """The job of a text, or of its last character alone, after the job of the text before it."""
    work = job(runtime, text, options=options, top=0)
    if before is None:
        return work
    origin = Digests(text).at(len(text) - 1)
    return replace(work, start=before.states[-1], origin=origin, pieces=(text[-1],))


async def test_typing_on_replays_what_was_kept_and_changes_nothing(
    adapting: Runtime, driver: Driver
) -> None:
    text = TEXT
    computed = await driver.compute(driven(adapting, text))
    reused = 0
    for _ in range(25):
        text += computed.completion.text[:1] or "a"
        computed = await driver.compute(driven(adapting, text, before=computed))
        assert computed.completion == complete(adapting, text, EAGER).completion
        reused += computed.steps_reused
    assert reused > 25


async def test_all_who_ask_at_once_get_what_each_gets_alone(
    adapting: Runtime, driver: Driver
) -> None:
    texts = [text_of(i) for i in range(40)]
    works = [replace(driven(adapting, text), session=text) for text in texts]
    for text, computed in zip(
        texts, await asyncio.gather(*map(driver.compute, works)), strict=True
    ):
        assert computed.completion == complete(adapting, text, EAGER).completion


async def test_a_job_that_nobody_waits_for_leaves_at_the_next_step_and_no_page(
    adapting: Runtime, driver: Driver, page_cache: PageCache
) -> None:
    # The page is read before the text is, so it is whole only in the end.
    leaving = asyncio.create_task(driver.compute(driven(adapting, ENDLESS)))
    await until(lambda: driver.taken == 1)
    leaving.cancel()
    await until(lambda: driver.taken == 0, 1)
    page = page_cache.take("s", adapting.fingerprint)
    assert page is None or page.text == ENDLESS[-len(page.text) :]
    computed = await driver.compute(driven(adapting, TEXT))
    assert computed.completion == complete(adapting, TEXT, EAGER).completion


async def test_nothing_is_kept_of_a_session_that_is_deleted_while_it_computes(
    adapting: Runtime, driver: Driver, page_cache: PageCache
) -> None:
    running = asyncio.create_task(driver.compute(driven(adapting, TEXT)))
    # What a job has computed is collected by the event loop, so it is still under way here.
    await asyncio.sleep(0)
    assert driver.taken == 1
    driver.forget("s")
    await running
    assert page_cache.take("s", adapting.fingerprint) is None
    assert driver._continuations.get("s") is None
    await driver.compute(driven(adapting, TEXT))
    assert page_cache.take("s", adapting.fingerprint) is not None
    assert driver._continuations.get("s") is not None


async def test_a_job_that_fails_does_so_alone(
    adapting: Runtime, driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(driven(adapting, "abc"), start=b"of another size")
    unspelt = replace(driven(adapting, "abc"), pieces=("a\ud800",))
    works = [bad, unspelt, driven(adapting, TEXT)]
    failed, refused, computed = await asyncio.gather(
        *map(driver.compute, works), return_exceptions=True
    )
    assert isinstance(failed, ComputationFailed)
    assert "ModelError" in caplog.text
    assert isinstance(refused, TextError)
    assert isinstance(computed, Computed)
    assert computed.completion == complete(adapting, TEXT, EAGER).completion


async def test_a_listener_that_fails_ends_its_own_job_alone(
    adapting: Runtime, driver: Driver
) -> None:
    def fail(chars: tuple[CharProbability, ...]) -> None:
        raise ValueError("nobody listens")

    bad = replace(driven(adapting, TEXT), on_chars=fail)
    replies = await asyncio.gather(
        driver.compute(bad), driver.compute(driven(adapting, "abc")), return_exceptions=True
    )
    assert isinstance(replies[0], ComputationFailed)
    assert isinstance(replies[1], Computed)
    assert driver.taken == 0


async def test_a_stream_of_several_lines_is_told_before_its_end(
    adapting: Runtime, driver: Driver
) -> None:
    options = replace(EAGER, max_lines=100, max_chars=300, indent=0)
    early = 0
    for i in range(20):
        told: list[tuple[CharProbability, ...]] = []
        work = replace(driven(adapting, text_of(i), options), on_chars=told.append)
        chars = (await driver.compute(work)).completion.chars
        said = tuple(char for part in told for char in part)
        assert said == chars[: len(said)]
        early += len(told) > 1
    assert early


async def test_decoding_ends_in_time_once_there_is_a_line_end(
    adapting: Runtime, driver: Driver
) -> None:
    options = replace(EAGER, max_lines=100, max_chars=300, indent=0)
    ended = 0
    for i in range(40):
        work = replace(driven(adapting, text_of(i), options), predict_seconds=0)
        short = (await driver.compute(work)).completion
        whole = complete(adapting, text_of(i), options).completion
        assert whole.text.startswith(short.text)
        if short.finish_reason == "time":
            assert "\n" in short.text
            ended += 1
        else:
            assert short == whole
    assert ended


async def test_what_waits_is_refused_when_the_driver_stops(
    adapting: Runtime, page_cache: PageCache
) -> None:
    driver = Driver([adapting], 4, 8, float("inf"), page_cache)
    driver.start()
    waiting = asyncio.create_task(driver.compute(driven(adapting, ENDLESS)))
    await until(lambda: driver.taken == 1)
    await driver.stop()
    with pytest.raises(Overloaded):
        await waiting
    assert not driver.alive
