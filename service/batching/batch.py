"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice

import numpy as np

from model.adaptation import Page
from model.decoding.next_step import predicted
from model.decoding.options import MOST_ALTERNATIVES
from model.errors import TextError
from model.served import Runtime
from service.batching.continuations import Continuations
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job, Sequence
from service.errors import ComputationFailed, log_fault

log = logging.getLogger(__name__)

# Characters of windows that pages read before the next step: below a millisecond.
LONGEST_READING = 1024
# Steps of sessions that may be taken before another one can join: below a millisecond.
LONGEST_RUN = 64
# Fewer steps of each than this take longer at once than one by one.
SHORTEST_RUN = 4


class PendingJob:
    """A job that somebody waits for, until it is done, has failed, or nobody waits any more."""

    def __init__(self, job: Job, done: Callable[[Computed | Exception], None]) -> None:
        self.job = job
        self.done = done
        self.abandoned = False
        # The session is deleted, so that nothing of it may be kept.
        self.forgotten = False


class Batch:
    """One pool of slots, the rows that hold some each, and the requests that wait for them.

    Slots belong to their row from `_join` to `_leave`, the one place that frees them. What a row
    does by itself fails for that row alone. When a call for all rows fails, their states are not
    known any more, so that none of them may go on: `advance` raises, and `fail_all` ends them.
    """

    def __init__(
        self, runtime: Runtime, capacity: int, continuations: Continuations, page_cache: PageCache
    ) -> None:
        """`continuations` and `page_cache` are what is kept of sessions between their requests."""
        self._capacity = capacity
        self._continuations = continuations
        self._page_cache = page_cache
        self._adaptation = runtime.adaptation
        # Room for the widest row beside all others, so that none waits for ever.
        self._pool = runtime.pool(capacity + MOST_ALTERNATIVES - 1)
        self._free = self._pool.capacity
        self._waiting: deque[PendingJob] = deque()
        self._sequences: dict[Sequence, PendingJob] = {}

    @property
    def busy(self) -> bool:
        """Whether anything waits or computes."""
        return bool(self._waiting or self._sequences)

    @property
    def taken(self) -> int:
        """How many slots rows hold now."""
        return self._pool.capacity - self._free

    def add(self, request: PendingJob) -> None:
        """Queues a request; it joins at the next step at which there is room."""
        self._waiting.append(request)

    def advance(self) -> None:
        """One step for all rows; requests join before it, and leave after it when done."""
        for sequence in [
            sequence for sequence, request in self._sequences.items() if request.abandoned
        ]:
            self._put_back(sequence, self._leave(sequence))
        while self._waiting and self._has_room(self._waiting[0]):
            self._join(self._waiting.popleft())
        self._read_pages([sequence for sequence in self._sequences if sequence.page_lacks])
        self._step(list(self._sequences))
        self._ask(list(self._sequences))
        for sequence in [sequence for sequence in self._sequences if sequence.finished]:
            self._finish(sequence, self._leave(sequence))

    def fail_all(self, error: Exception) -> None:
        """Ends every row and every request that waits; the lane goes on with what comes next."""
        for sequence in list(self._sequences):
            self._leave(sequence).done(error)
        while self._waiting:
            self._waiting.popleft().done(error)

    def forget(self, session: str) -> None:
        """Lets nothing of the session be kept that is being computed or waits."""
        for request in (*self._sequences.values(), *self._waiting):
            if request.job.session == session:
                request.forgotten = True

    def _has_room(self, request: PendingJob) -> bool:
        return len(self._sequences) < self._capacity and request.job.options.n <= self._free

    def _join(self, request: PendingJob) -> None:
        if request.abandoned:
            return
        job = request.job
        try:
            sequence = Sequence(job, self._continuations.get(job.session), self._page(job))
        except Exception as error:
            request.done(error if isinstance(error, TextError) else _failed(error))
            return
        if sequence.finished:
            self._finish(sequence, request)
            return
        sequence.slots = [self._pool.acquire() for _ in range(sequence.width)]
        self._free -= sequence.width
        self._sequences[sequence] = request
        self._alone(sequence, self._begin)

    def _page(self, job: Job) -> Page | None:
        """A page for a job: no other row moves it, nor does this one another's."""
        if self._adaptation is None:
            return None
        for sequence in self._sequences:
            # Ways to go on from one text share its page, which all of them only read.
            same = (
                sequence.job.window == job.window
                and sequence.job.options.suffix == job.options.suffix
            )
            if sequence.job.session == job.session and same and not sequence.page_lacks:
                return sequence.page
        return (
            self._page_cache.take(job.session, job.runtime.fingerprint) or self._adaptation.page()
        )

    def _read_pages(self, sequences: list[Sequence]) -> None:
        left = LONGEST_READING
        for sequence in sequences:
            most, left = left, max(0, left - sequence.page_lacks)
            if most:
                self._alone(sequence, partial(Sequence.read_page, most=most))

    def _begin(self, sequence: Sequence) -> None:
        if sequence.state is None:
            self._pool.start(sequence.slots[0])
        else:
            self._pool.write(sequence.slots[0], sequence.state)

    def _step(self, sequences: list[Sequence]) -> None:
        stepping: list[Sequence] = []
        steps: list[tuple[int, int]] = []

        def move(sequence: Sequence) -> None:
            if own := sequence.move(self._pool):
                stepping.append(sequence)
                steps.extend(own)

        for sequence in sequences:
            self._alone(sequence, move)
        if not steps:
            return
        run = min(LONGEST_RUN // len(steps), *(sequence.run for sequence in stepping))
        if run < SHORTEST_RUN:
            run = 1
            slots, ids = zip(*steps, strict=True)
            self._pool.step(np.array(slots, np.int64), np.array(ids, np.int32))
        else:
            self._pool.absorb(
                [slot for slot, _ in steps], [sequence.ahead(run) for sequence in stepping]
            )
        for sequence in stepping:
            self._alone(sequence, partial(self._stepped, count=run))

    def _stepped(self, sequence: Sequence, count: int) -> None:
        sequence.stepped(
            self._pool.read(sequence.slots[0]) if sequence.reads(count) else None, count
        )

    def _ask(self, sequences: list[Sequence]) -> None:
        asking = [sequence for sequence in sequences if sequence.asking]
        self._tell([sequence for sequence in asking if not sequence.whole], whole=False)
        self._tell([sequence for sequence in asking if sequence.whole], whole=True)

    def _tell(self, sequences: list[Sequence], whole: bool) -> None:
        asks = [sequence.asks for sequence in sequences]
        states = [
            self._pool.read(slot) if sequence.keeps else None
            for sequence, slots in zip(sequences, asks, strict=True)
            for slot in slots
        ]
        slots = [slot for own in asks for slot in own]
        cursors = [cursor for sequence in sequences for cursor in sequence.cursors]
        found = iter(predicted(self._pool, self._adaptation, slots, cursors, whole, states))
        for sequence, own in zip(sequences, asks, strict=True):
            self._alone(sequence, partial(Sequence.take, next_steps=list(islice(found, len(own)))))

    def _leave(self, sequence: Sequence) -> PendingJob:
        for slot in sequence.slots:
            self._pool.release(slot)
        self._free += sequence.width
        return self._sequences.pop(sequence)

    def _finish(self, sequence: Sequence, request: PendingJob) -> None:
        if not request.forgotten:
            self._continuations.keep(request.job.session, sequence.continuation)
        self._put_back(sequence, request)
        request.done(sequence.result())

    def _put_back(self, sequence: Sequence, request: PendingJob) -> None:
        shared = any(other.page is sequence.page for other in self._sequences)
        if sequence.page is not None and not shared and not request.forgotten:
            self._page_cache.put(
                request.job.session, request.job.runtime.fingerprint, sequence.page
            )

    def _alone(self, sequence: Sequence, call: Callable[[Sequence], object]) -> None:
        try:
            call(sequence)
        except Exception as error:
            self._leave(sequence).done(_failed(error))


def _failed(error: Exception) -> ComputationFailed:
    log_fault(log, error)
    return ComputationFailed("the computing of this request failed; the service's log says where")
