"""The batch: rows that join and leave change nothing for each other, and each frees its slot."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from model.decoding import Options
from model.runtime import Runtime
from model.runtime.numpy_backend import NumpyPool
from service.digests import Digests
from service.errors import ComputationFailed, Overloaded
from service.lane import Lane, Request
from service.predictions import KEPT_STEPS, Predictions
from service.rows import Computed, Job
from service.scheduler import Scheduler
from tests.service.running import until

EAGER = Options(min_confidence=0.0)
ALPHABET = "abc def\nxyz().é😀"


def job(
    runtime: Runtime,
    text: str,
    session: str = "s",
    options: Options = EAGER,
    cuts: tuple[int, ...] = (),
    top: int = 1,
) -> Job:
    """A job that absorbs the whole text from its start."""
    ends = sorted({0, *cuts, len(text)})
    return Job(
        runtime=runtime,
        session=session,
        start=None,
        origin=Digests("").at(0),
        end=Digests(text).at(len(text)),
        pieces=tuple(text[a:b] for a, b in pairwise(ends)),
        options=options,
        top=top,
    )


def bits(computed: Computed) -> tuple[object, ...]:
    """All of a result that must not depend on the batch."""
    assert computed.next is not None
    return computed.states, computed.completion, computed.next.tobytes()


def text_of(seed: int, longest: int = 40) -> str:
    drawn = random.Random(seed)
    return "".join(drawn.choices(ALPHABET, k=drawn.randint(1, longest)))


@asynccontextmanager
async def scheduling(
    runtime: Runtime, batch_limit: int = 128, queue_limit: int = 1024, kept_predictions: int = 0
) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(
        [runtime],
        batch_limit=batch_limit,
        queue_limit=queue_limit,
        kept_predictions=kept_predictions,
    )
    scheduler.start()
    yield scheduler
    await scheduler.stop()


def lane_of(scheduler: Scheduler, runtime: Runtime) -> Lane:
    return scheduler._lanes[runtime]


class Waiter:
    """Somebody who waits for a job in a lane that the test drives by hand."""

    def __init__(self, lane: Lane, work: Job) -> None:
        self.results: list[Computed | Exception] = []
        self.request = Request(work, self.results.append)
        lane.add(self.request)

    @property
    def result(self) -> Computed:
        (result,) = self.results
        assert isinstance(result, Computed)
        return result


def drive(lane: Lane, most: int = 5000) -> None:
    for _ in range(most):
        if not lane.busy:
            return
        lane.advance()
    raise AssertionError("the lane never came to rest")


@pytest.mark.parametrize("seed", range(3))
def test_a_row_among_64_to_128_that_join_and_leave_gives_the_same_bytes_as_alone(
    runtime: Runtime, seed: int
) -> None:
    texts = [text_of(1000 * seed + i) for i in range(160)]
    alone = []
    for text in texts:
        lane = Lane(runtime, 1, Predictions(0))
        waiter = Waiter(lane, job(runtime, text))
        drive(lane)
        alone.append(bits(waiter.result))

    drawn = random.Random(seed)
    lane = Lane(runtime, 128, Predictions(0))
    waiting = list(range(len(texts)))
    drawn.shuffle(waiting)
    waiters: dict[int, Waiter] = {}
    seen: list[int] = []
    while waiting or lane.busy:
        while waiting and lane.taken + drawn.randint(0, 3) < drawn.randint(64, 128):
            index = waiting.pop()
            waiters[index] = Waiter(lane, job(runtime, texts[index]))
            if drawn.random() < 0.3:
                gone = Waiter(lane, job(runtime, text_of(drawn.randint(0, 10**6))))
                gone.request.abandoned = drawn.random() < 0.5
        lane.advance()
        seen.append(lane.taken)
    assert max(seen) >= 64
    assert [bits(waiters[i].result) for i in range(len(texts))] == alone


def test_the_needle_is_noticed_where_a_row_depends_on_its_batch(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(Runtime(runtime.checkpoint, "numpy"), 64, Predictions(0))
    step = lane._pool.step

    def uneven(slots: NDArray[np.int64], ids: NDArray[np.int32]) -> None:
        step(slots, ids)
        if len(slots) >= 8:
            # The last bit of the cells, as a library's sums round it for one batch or another.
            cells = cast(NumpyPool, lane._pool)._c
            cells[:, slots] = np.nextafter(cells[:, slots], np.float32(np.inf))

    needle = Waiter(lane, job(runtime, "abc def"))
    drive(lane)
    monkeypatch.setattr(lane._pool, "step", uneven)
    again = Waiter(lane, job(runtime, "abc def"))
    for i in range(20):
        Waiter(lane, job(runtime, text_of(i)))
    drive(lane)
    assert bits(again.result) != bits(needle.result)


def test_states_are_read_where_the_job_says(runtime: Runtime) -> None:
    text = "abc é😀 def"
    lane = Lane(runtime, 4, Predictions(0))
    whole = Waiter(lane, job(runtime, text, cuts=(4, 5, 6, 9)))
    parts = [Waiter(lane, job(runtime, text[:cut])) for cut in (4, 5, 6, 9, len(text))]
    drive(lane)
    assert list(whole.result.states) == [part.result.states[-1] for part in parts]


def test_going_on_from_a_state_equals_absorbing_from_the_start(runtime: Runtime) -> None:
    text = "abc def xyz"
    lane = Lane(runtime, 2, Predictions(0))
    whole = Waiter(lane, job(runtime, text, cuts=(6,)))
    drive(lane)
    rest = replace(
        job(runtime, text),
        start=whole.result.states[0],
        origin=Digests(text).at(6),
        pieces=(text[6:],),
    )
    continued = Waiter(lane, rest)
    drive(lane)
    assert bits(continued.result)[1:] == bits(whole.result)[1:]
    assert continued.result.states[-1] == whole.result.states[-1]


def test_a_prediction_is_followed_with_the_same_bits_as_without_it(runtime: Runtime) -> None:
    drawn = random.Random(5)
    kept, fresh = Lane(runtime, 4, Predictions(8)), Lane(runtime, 4, Predictions(0))
    text, reused = "abc ", 0
    before = Waiter(kept, job(runtime, text, top=0))
    drive(kept)
    state = before.result.states[-1]
    for _ in range(40):
        shown = before.result.completion.text
        typed = shown[: drawn.randint(0, 4)] if drawn.random() < 0.8 else drawn.choice(ALPHABET)
        options = replace(EAGER, max_chars=drawn.randint(1, 70))
        top = drawn.choice((0, 0, 1))
        origin = Digests(text).at(len(text))
        text += typed
        work = replace(
            job(runtime, text, options=options, top=top),
            start=state,
            origin=origin,
            pieces=(typed,) if typed else (),
        )
        before = Waiter(kept, work)
        check = Waiter(fresh, replace(job(runtime, text, options=options, top=top)))
        drive(kept)
        drive(fresh)
        assert before.result.completion == check.result.completion
        if typed:
            state = before.result.states[-1]
            assert state == check.result.states[-1]
        if top:
            assert bits(before.result)[-1] == bits(check.result)[-1]
        reused += before.result.steps_reused
    assert reused > 100


def test_a_kept_prediction_is_bounded(runtime: Runtime) -> None:
    predictions = Predictions(2)
    lane = Lane(runtime, 4, predictions)
    for session in ("a", "b", "c"):
        Waiter(lane, job(runtime, "abc", session, replace(EAGER, max_chars=500)))
        drive(lane)
    assert predictions.get("a") is None
    kept = predictions.get("c")
    assert kept is not None
    assert len(kept.steps) <= KEPT_STEPS


def test_an_abandoned_row_leaves_at_the_next_step_and_one_that_waits_never_joins(
    runtime: Runtime,
) -> None:
    lane = Lane(runtime, 1, Predictions(0))
    first, second, third = (Waiter(lane, job(runtime, "abc " * n)) for n in (50, 50, 1))
    lane.advance()
    first.request.abandoned = second.request.abandoned = True
    lane.advance()
    assert lane.taken == 1
    drive(lane)
    assert (first.results, second.results) == ([], [])
    assert third.result


def test_a_row_that_fails_does_so_alone(runtime: Runtime) -> None:
    lane = Lane(runtime, 8, Predictions(0))
    good = [Waiter(lane, job(runtime, text_of(i))) for i in range(3)]
    bad = Waiter(lane, replace(job(runtime, "abc"), start=b"of another size"))
    drive(lane)
    assert isinstance(bad.results[0], ComputationFailed)
    assert all(waiter.result for waiter in good)
    assert lane.taken == 0


async def test_when_a_shared_call_fails_its_rows_end_and_the_next_are_served(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with scheduling(runtime) as scheduler:
        expected = bits(await scheduler.compute(job(runtime, "abc")))
        with monkeypatch.context() as patched:
            patched.setattr(lane_of(scheduler, runtime)._pool, "step", None)
            asked = [scheduler.compute(job(runtime, text_of(i))) for i in range(5)]
            replies = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(reply) for reply in replies} == {ComputationFailed}
        assert "TypeError" in caplog.text
        assert bits(await scheduler.compute(job(runtime, "abc"))) == expected
        assert lane_of(scheduler, runtime).taken == 0


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


async def test_cancelled_rows_leave_at_the_next_step_and_free_their_slots(
    runtime: Runtime,
) -> None:
    async with scheduling(runtime, batch_limit=4) as scheduler:
        endless = [
            asyncio.create_task(scheduler.compute(job(runtime, "abc " * 50_000))) for _ in range(8)
        ]
        await until(lambda: lane_of(scheduler, runtime).taken == 4)
        for task in endless:
            task.cancel()
        results = await asyncio.gather(*endless, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        # With all slots taken, or waited for, by the rows above, these would never be served.
        done = await asyncio.gather(
            *(scheduler.compute(job(runtime, text_of(i))) for i in range(8))
        )
        assert len(done) == 8
        assert lane_of(scheduler, runtime).taken == 0


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
        pool = lane_of(scheduler, runtime)._pool
        slots = [pool.acquire() for _ in range(3)]
        assert len(set(slots)) == 3


async def test_what_waits_is_refused_when_the_scheduler_stops(runtime: Runtime) -> None:
    async with scheduling(runtime) as scheduler:
        waiting = asyncio.create_task(scheduler.compute(job(runtime, "abc " * 50_000)))
        await until(lambda: lane_of(scheduler, runtime).taken == 1)
        await scheduler.stop()
        with pytest.raises(Overloaded):
            await waiting
        assert not scheduler.alive


async def test_forgetting_leaves_nothing_of_a_prediction(runtime: Runtime) -> None:
    async with scheduling(runtime, kept_predictions=8) as scheduler:
        work = job(runtime, "abc", top=0)
        first = await scheduler.compute(work)
        again = replace(work, start=first.states[-1], origin=work.end, pieces=())
        assert (await scheduler.compute(again)).steps_reused > 0
        await scheduler.forget("s")
        assert (await scheduler.compute(again)).steps_reused == 0
