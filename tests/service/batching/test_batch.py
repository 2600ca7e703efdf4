"""Sequences of a batch: they do not affect each other, and free their slots when they leave."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from model.completing import complete
from model.decoding.continuation import MOST_KEPT_STEPS, ChosenSteps, Continuation
from model.decoding.options import CharProbability, Options
from model.runtime.backends import available
from model.runtime.numpy_backend import NumpyPool
from model.served import Runtime
from service.batching.batch import Batch
from service.batching.page_cache import PageCache
from service.errors import ComputationFailed
from service.expiring import ExpiringMap
from service.sessions.digests import Digests
from tests.service.batch import (
    ALPHABET,
    EAGER,
    Waiter,
    bits,
    drive,
    job,
    text_of,
)


@pytest.mark.parametrize("seed", range(3))
def test_a_sequence_among_64_to_128_that_join_and_leave_gives_the_same_bytes_as_alone(
    runtime: Runtime, seed: int
) -> None:
    texts = [text_of(1000 * seed + i) for i in range(160)]
    alone = []
    for text in texts:
        batch = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
        waiter = Waiter(batch, job(runtime, text))
        drive(batch)
        alone.append(bits(waiter.result))

    drawn = random.Random(seed)
    batch = Batch(runtime, 128, ExpiringMap(0), PageCache(0))
    waiting = list(range(len(texts)))
    drawn.shuffle(waiting)
    waiters: dict[int, Waiter] = {}
    seen: list[int] = []
    while waiting or batch.busy:
        while waiting and batch.taken + drawn.randint(0, 3) < drawn.randint(64, 128):
            index = waiting.pop()
            waiters[index] = Waiter(batch, job(runtime, texts[index]))
            if drawn.random() < 0.3:
                gone = Waiter(batch, job(runtime, text_of(drawn.randint(0, 10**6))))
                gone.request.abandoned = drawn.random() < 0.5
        batch.advance()
        seen.append(batch.taken)
    assert max(seen) >= 64
    assert [bits(waiters[i].result) for i in range(len(texts))] == alone


def test_memory_does_not_grow_with_batches_of_all_sizes(runtime: Runtime) -> None:
    for backend in available():
        served = Runtime(runtime.checkpoint, backend)
        batch = Batch(served, 128, ExpiringMap(64), PageCache(2**20))

        def serve(size: int, served: Runtime = served, batch: Batch = batch) -> None:
            for i in range(size):
                Waiter(batch, job(served, text_of(size * i), session=str(i)))
            drive(batch)

        serve(1)
        before = psutil.Process().memory_info().rss
        for size in range(8, 129, 8):
            serve(size)
        assert psutil.Process().memory_info().rss - before < 8e6


def test_the_comparison_of_bits_notices_a_sequence_that_depends_on_its_batch(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch(Runtime(runtime.checkpoint, "numpy"), 64, ExpiringMap(0), PageCache(0))
    step = batch._pool.step

    def uneven(slots: NDArray[np.int64], ids: NDArray[np.int32]) -> None:
        step(slots, ids)
        if len(slots) >= 8:
            # Changes the last bit of the cells, as a library may do whose rounding depends on the
            # size of the batch.
            cells = cast(NumpyPool, batch._pool)._exact["c"]
            cells[:, slots] = np.nextafter(cells[:, slots], np.float32(np.inf))

    needle = Waiter(batch, job(runtime, "abc def"))
    drive(batch)
    monkeypatch.setattr(batch._pool, "step", uneven)
    again = Waiter(batch, job(runtime, "abc def"))
    for i in range(20):
        Waiter(batch, job(runtime, text_of(i)))
    drive(batch)
    assert bits(again.result) != bits(needle.result)


def test_states_are_read_where_the_job_says(runtime: Runtime) -> None:
    text = "abc é😀 def"
    batch = Batch(runtime, 4, ExpiringMap(0), PageCache(0))
    whole = Waiter(batch, job(runtime, text, cuts=(4, 5, 6, 9)))
    resources = [Waiter(batch, job(runtime, text[:cut])) for cut in (4, 5, 6, 9, len(text))]
    drive(batch)
    assert list(whole.result.states) == [part.result.states[-1] for part in resources]


def test_going_on_from_a_state_equals_absorbing_from_the_start(runtime: Runtime) -> None:
    text = "abc def xyz"
    batch = Batch(runtime, 2, ExpiringMap(0), PageCache(0))
    whole = Waiter(batch, job(runtime, text, cuts=(6,)))
    drive(batch)
    rest = replace(
        job(runtime, text),
        start=whole.result.states[0],
        origin=Digests(text).at(6),
        pieces=(text[6:],),
    )
    continued = Waiter(batch, rest)
    drive(batch)
    assert bits(continued.result)[1:] == bits(whole.result)[1:]
    assert continued.result.states[-1] == whole.result.states[-1]


def test_a_prediction_is_followed_with_the_same_bits_as_without_it(runtime: Runtime) -> None:
    drawn = random.Random(5)
    kept, fresh = (
        Batch(runtime, 4, ExpiringMap(8), PageCache(0)),
        Batch(runtime, 4, ExpiringMap(0), PageCache(0)),
    )
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


WAYS = (
    replace(EAGER, n=5),
    replace(EAGER, n=8, suffix="b\nab ", max_chars=10),
    replace(EAGER, n=16, trigger="manual", by_value=True),
    replace(EAGER, temperature=1.1, seed=3, max_chars=10),
    replace(EAGER, temperature=0.7, seed=2**64 - 1, n=4, top_k=9, top_p=0.9),
    replace(EAGER, trigger="manual", by_value=True),
    replace(EAGER, max_lines=4, max_chars=60, top_each=3),
)


OTHER_PROCESS = """
import sys
from pathlib import Path
from model.checkpoint import load
from model.completing import complete
from model.served import Runtime
from tests.service.batch import text_of
from tests.service.batching.test_batch import WAYS
runtime = Runtime(load(Path(sys.argv[1])))
for i in range(64):
    answer = complete(runtime, text_of(i), WAYS[i % len(WAYS)])
    print(repr((answer.completion, answer.alternatives)))
"""


def test_alternatives_and_draws_are_the_same_alone_in_a_batch_and_in_another_process(
    runtime: Runtime, checkpoint: Path, root: Path
) -> None:
    texts = [text_of(i) for i in range(64)]
    batch = Batch(runtime, 64, ExpiringMap(0), PageCache(0))
    works = [job(runtime, text, options=WAYS[i % len(WAYS)]) for i, text in enumerate(texts)]
    waiters = [Waiter(batch, work) for work in works]
    most = 0
    while batch.busy:
        batch.advance()
        most = max(most, batch.taken)
    assert most >= 64
    assert batch.taken == 0
    other = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, checkpoint],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for work, waiter, said in zip(works, waiters, other.stdout.splitlines(), strict=True):
        one = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
        alone = Waiter(one, work)
        drive(one)
        assert bits(alone.result) == bits(waiter.result)
        assert said == repr((waiter.result.completion, waiter.result.alternatives))


@pytest.mark.parametrize("options", WAYS)
def test_typing_on_gives_the_same_with_what_was_kept_and_without(
    runtime: Runtime, options: Options
) -> None:
    batch, session = Batch(runtime, 4, ExpiringMap(8), PageCache(0)), "s"
    text = typed = "abc "
    origin, state, reused = Digests("").at(0), None, 0
    for _ in range(30):
        work = replace(
            job(runtime, text, session, options), start=state, origin=origin, pieces=(typed,)
        )
        waiter = Waiter(batch, work)
        drive(batch)
        answer = complete(runtime, text, options)
        assert answer.completion == waiter.result.completion
        assert answer.alternatives == waiter.result.alternatives
        reused += waiter.result.steps_reused
        state, origin = waiter.result.states[-1], Digests(text).at(len(text))
        typed = answer.completion.text[:1] or "a"
        text += typed
    assert reused > 10


def test_certain_characters_are_told_before_the_end(runtime: Runtime) -> None:
    for i in range(20):
        batch = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
        told: list[CharProbability] = []
        waiter = Waiter(batch, replace(job(runtime, text_of(i)), on_chars=told.extend))
        early = 0
        while batch.busy:
            batch.advance()
            early = max(early, len(told) if not waiter.results else 0)
        chars = waiter.result.completion.chars
        assert tuple(told) == chars[: len(told)]
        assert early or len(chars) < 2


def test_decoding_ends_in_time_once_there_is_a_line_end(runtime: Runtime) -> None:
    options = replace(EAGER, max_lines=100, max_chars=300, temperature=1.3, indent=0)
    ended = 0
    for i in range(20):
        batch = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
        waiter = Waiter(
            batch, replace(job(runtime, text_of(i), options=options), predict_seconds=0)
        )
        drive(batch)
        whole = complete(runtime, text_of(i), options).completion
        short = waiter.result.completion
        assert whole.text.startswith(short.text)
        if short.finish_reason == "time":
            assert short.text.count("\n") == 1
            ended += 1
        else:
            assert short == whole
    assert ended


def test_a_wide_sequence_gets_its_slots_even_where_the_batch_is_small(runtime: Runtime) -> None:
    batch = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
    waiters = [Waiter(batch, job(runtime, "abc", options=replace(EAGER, n=16))) for _ in range(3)]
    drive(batch)
    assert len({bits(waiter.result) for waiter in waiters}) == 1


def test_an_abandoned_beam_frees_all_its_slots_at_the_next_step(runtime: Runtime) -> None:
    batch = Batch(runtime, 4, ExpiringMap(0), PageCache(0))
    waiters = [Waiter(batch, job(runtime, "abc " * 50, options=replace(EAGER, n=8))) for _ in "ab"]
    batch.advance()
    assert batch.taken == 16
    for waiter in waiters:
        waiter.request.abandoned = True
    batch.advance()
    assert batch.taken == 0
    assert not waiters[0].results


def test_a_kept_prediction_is_bounded(runtime: Runtime) -> None:
    continuations: ExpiringMap[str, Continuation[ChosenSteps]] = ExpiringMap(2)
    batch = Batch(runtime, 4, continuations, PageCache(0))
    for session in ("a", "b", "c"):
        Waiter(batch, job(runtime, "abc", session, replace(EAGER, max_chars=500)))
        drive(batch)
    assert continuations.get("a") is None
    kept = continuations.get("c")
    assert kept is not None
    assert len(kept.steps) <= MOST_KEPT_STEPS


def test_an_abandoned_sequence_leaves_at_the_next_step_and_one_that_waits_never_joins(
    runtime: Runtime,
) -> None:
    batch = Batch(runtime, 1, ExpiringMap(0), PageCache(0))
    first, second, third = (Waiter(batch, job(runtime, "abc " * n)) for n in (50, 50, 1))
    batch.advance()
    first.request.abandoned = second.request.abandoned = True
    batch.advance()
    assert batch.taken == 1
    drive(batch)
    assert (first.results, second.results) == ([], [])
    assert third.result


def test_a_sequence_that_fails_does_so_alone(runtime: Runtime) -> None:
    batch = Batch(runtime, 8, ExpiringMap(0), PageCache(0))
    good = [Waiter(batch, job(runtime, text_of(i))) for i in range(3)]
    bad = Waiter(batch, replace(job(runtime, "abc"), start=b"of another size"))
    drive(batch)
    assert isinstance(bad.results[0], ComputationFailed)
    assert all(waiter.result for waiter in good)
    assert batch.taken == 0


def test_a_listener_that_fails_ends_its_own_sequence_alone(runtime: Runtime) -> None:
    def fail(chars: tuple[CharProbability, ...]) -> None:
        raise ValueError("nobody listens")

    batch = Batch(runtime, 8, ExpiringMap(0), PageCache(0))
    bad = Waiter(batch, replace(job(runtime, "abc"), on_chars=fail))
    good = [Waiter(batch, job(runtime, text)) for text in ("abc", "abd", "x")]
    drive(batch)
    assert isinstance(bad.results[0], ComputationFailed)
    assert good[0].result.completion == complete(runtime, "abc", EAGER).completion
    assert all(waiter.result for waiter in good)
    assert batch.taken == 0
