"""The scheduler's thread: its queue, and what cancelled and failed requests leave behind."""

import asyncio
import random
from dataclasses import replace

import pytest

from model.decoding.continuation import ChosenSteps, Continuation
from model.served import Runtime
from service.errors import ComputationFailed, Overloaded
from service.expiring import ExpiringMap
from tests.service.batch import (
    batch_of,
    bits,
    job,
    scheduling,
    text_of,
)
from tests.service.clock import ManualClock
from tests.service.running import until


async def test_when_a_shared_call_fails_its_sequences_end_and_the_next_are_served(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with scheduling(runtime) as scheduler:
        expected = bits(await scheduler.compute(job(runtime, "abc")))
        with monkeypatch.context() as patched:
            patched.setattr(batch_of(scheduler, runtime)._pool, "step", None)
            asked = [scheduler.compute(job(runtime, text_of(i))) for i in range(5)]
            replies = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(reply) for reply in replies} == {ComputationFailed}
        assert "TypeError" in caplog.text
        assert bits(await scheduler.compute(job(runtime, "abc"))) == expected
        assert batch_of(scheduler, runtime).taken == 0


async def test_a_full_queue_refuses(runtime: Runtime) -> None:
    async with scheduling(runtime, batch_limit=1, queue_limit=3) as scheduler:
        running = [
            asyncio.create_task(scheduler.compute(job(runtime, "abc " * 30))) for _ in range(3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await scheduler.compute(job(runtime, "x"))
        await asyncio.gather(*running)
        await scheduler.compute(job(runtime, "x"))


async def test_cancelled_sequences_leave_at_the_next_step_and_free_their_slots(
    runtime: Runtime,
) -> None:
    async with scheduling(runtime, batch_limit=4) as scheduler:
        endless = [
            asyncio.create_task(scheduler.compute(job(runtime, "abc " * 50_000))) for _ in range(8)
        ]
        await until(lambda: batch_of(scheduler, runtime).taken == 4)
        for task in endless:
            task.cancel()
        results = await asyncio.gather(*endless, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        # If the sequences above still held their slots, these jobs would never be served.
        done = await asyncio.gather(
            *(scheduler.compute(job(runtime, text_of(i))) for i in range(8))
        )
        assert len(done) == 8
        assert batch_of(scheduler, runtime).taken == 0
        pool = batch_of(scheduler, runtime)._pool
        assert len({pool.acquire() for _ in range(pool.capacity)}) == pool.capacity


async def test_no_state_is_shared_after_cancelling_and_starting_at_once(runtime: Runtime) -> None:
    drawn = random.Random(3)
    texts = [text_of(i) for i in range(24)]
    async with scheduling(runtime, batch_limit=3) as scheduler:
        expected = {t: bits(await scheduler.compute(job(runtime, t))) for t in texts}
        for _ in range(15):
            begun = [(t, asyncio.create_task(scheduler.compute(job(runtime, t)))) for t in texts]
            await asyncio.wait([task for _, task in begun], timeout=drawn.random() / 100)
            for _, task in drawn.sample(begun, 12):
                task.cancel()
            for text, task in begun:
                try:
                    assert bits(await task) == expected[text]
                except asyncio.CancelledError:
                    continue
        pool = batch_of(scheduler, runtime)._pool
        slots = [pool.acquire() for _ in range(3)]
        assert len(set(slots)) == 3


async def test_what_waits_is_refused_when_the_scheduler_stops(runtime: Runtime) -> None:
    async with scheduling(runtime) as scheduler:
        waiting = asyncio.create_task(scheduler.compute(job(runtime, "abc " * 50_000)))
        await until(lambda: batch_of(scheduler, runtime).taken == 1)
        await scheduler.stop()
        with pytest.raises(Overloaded):
            await waiting
        assert not scheduler.alive


async def test_forgetting_leaves_nothing_of_a_prediction(runtime: Runtime) -> None:
    async with scheduling(runtime, kept_sessions=8) as scheduler:
        work = job(runtime, "abc", top=0)
        first = await scheduler.compute(work)
        again = replace(work, start=first.states[-1], origin=work.end, pieces=())
        assert (await scheduler.compute(again)).steps_reused > 0
        await scheduler.forget("s")
        assert (await scheduler.compute(again)).steps_reused == 0


def test_continuations_expire() -> None:
    clock = ManualClock()
    continuations: ExpiringMap[str, Continuation[ChosenSteps]] = ExpiringMap(2, 600, clock)
    continuations.put("a", Continuation("00", b"", ()))
    clock.now = 599
    continuations.expire()
    assert continuations.get("a") is not None
    clock.now = 600
    continuations.expire()
    assert continuations.get("a") is None
