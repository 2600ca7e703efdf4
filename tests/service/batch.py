"""Jobs for tests of the batch, and a batch that the test advances itself."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

from model.adaptation import window_start
from model.decoding.options import Options
from model.served import Runtime
from service.batching.batch import Batch, PendingJob
from service.batching.scheduler import Scheduler
from service.batching.sequence import Computed, Job
from service.sessions.digests import Digests

EAGER = Options(min_confidence=0.0, by_value=False)
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
        length=len(text),
        window=text[window_start(len(text)) :],
    )


def bits(computed: Computed) -> tuple[object, ...]:
    """The part of a result that must not depend on the batch."""
    assert computed.next is not None
    found = (computed.completion, computed.alternatives)
    return computed.states, found, computed.next.tobytes()


def text_of(seed: int, longest: int = 40) -> str:
    drawn = random.Random(seed)
    return "".join(drawn.choices(ALPHABET, k=drawn.randint(1, longest)))


@asynccontextmanager
async def scheduling(
    runtime: Runtime,
    batch_limit: int = 128,
    queue_limit: int = 1024,
    kept_sessions: int = 0,
    kept_page_bytes: int = 0,
) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(
        [runtime],
        batch_limit=batch_limit,
        queue_limit=queue_limit,
        kept_sessions=kept_sessions,
        kept_page_bytes=kept_page_bytes,
    )
    scheduler.start()
    yield scheduler
    await scheduler.stop()


def batch_of(scheduler: Scheduler, runtime: Runtime) -> Batch:
    return scheduler._batches[runtime]


class Waiter:
    """Waits for a job in a batch that the test advances itself."""

    def __init__(self, batch: Batch, work: Job) -> None:
        self.results: list[Computed | Exception] = []
        self.request = PendingJob(work, self.results.append)
        batch.add(self.request)

    @property
    def result(self) -> Computed:
        (result,) = self.results
        assert isinstance(result, Computed)
        return result


def drive(batch: Batch, most: int = 5000) -> None:
    for _ in range(most):
        if not batch.busy:
            return
        batch.advance()
    raise AssertionError("the batch never came to rest")
