"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable

from model.adaptation import Page
from model.decoding.continuation import Continuation
from model.decoding.options import MOST_ALTERNATIVES
from model.decoding.running import Phase
from model.decoding.stepping import step_and_predict
from model.errors import TextError
from model.served import Runtime
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job, Sequence
from service.errors import ComputationFailed, log_fault
from service.expiring import ExpiringMap

log = logging.getLogger(__name__)

# Characters that all pages together read before the next step: below a millisecond.
MOST_CHARACTERS_READ_PER_STEP = 1024
# Steps of all sequences together that are taken before another one can join: below a millisecond.
MOST_STEPS_AT_ONCE = 64


class PendingJob:
    """A job that somebody waits for, until it is done, has failed, or nobody waits any more."""

    def __init__(self, job: Job, done: Callable[[Computed | Exception], None]) -> None:
        self.job = job
        self.done = done
        self.abandoned = False
        # The session is deleted, so that nothing of it may be kept.
        self.forgotten = False


class Batch:
    """One pool of slots, the sequences that hold some each, and the requests that wait for them.

    Slots belong to their sequence from `_join` to `_leave`, the one place that frees them. What a
    sequence does by itself fails for that sequence alone. When a call for all sequences fails,
    their states are not known any more, so that none of them may go on: `advance` raises, and
    `fail_all` ends them.
    """

    def __init__(
        self,
        runtime: Runtime,
        capacity: int,
        continuations: ExpiringMap[str, Continuation],
        page_cache: PageCache,
    ) -> None:
        """`continuations` and `page_cache` are what is kept of sessions between their requests."""
        self._capacity = capacity
        self._continuations = continuations
        self._page_cache = page_cache
        self._adaptation = runtime.adaptation
        # Room for the widest sequence beside all others, so that none waits for ever.
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
        """How many slots sequences hold now."""
        return self._pool.capacity - self._free

    def add(self, request: PendingJob) -> None:
        """Queues a request; it joins at the next step at which there is room."""
        self._waiting.append(request)

    def advance(self) -> None:
        """One step for all sequences; requests join before it, and leave after it when done."""
        for sequence, request in list(self._sequences.items()):
            if request.abandoned:
                self._leave(sequence)
                self._put_back(sequence, request)
        while self._waiting and self._has_room(self._waiting[0]):
            self._join(self._waiting.popleft())
        self._read_pages(MOST_CHARACTERS_READ_PER_STEP)
        step_and_predict(
            self._pool, self._adaptation, list(self._sequences), MOST_STEPS_AT_ONCE, self._fail
        )
        for sequence, request in list(self._sequences.items()):
            if sequence.phase is Phase.FINISHED:
                self._leave(sequence)
                self._finish(sequence, request)

    def fail_all(self, error: Exception) -> None:
        """Ends every sequence and every request that waits; what comes next is served again."""
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
        if sequence.phase is Phase.FINISHED:
            self._finish(sequence, request)
            return
        self._free -= sequence.width
        self._sequences[sequence] = request
        try:
            sequence.enter(self._pool)
        except Exception as error:
            self._fail(sequence, error)

    def _page(self, job: Job) -> Page | None:
        """A page for a job, such that no two sequences bring one page to different texts."""
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

    def _read_pages(self, characters: int) -> None:
        """Lets the pages that lack some of their text read, `characters` in all."""
        for sequence in [sequence for sequence in self._sequences if sequence.page_lacks]:
            most, characters = characters, max(0, characters - sequence.page_lacks)
            if not most:
                return
            try:
                sequence.read_page(most)
            except Exception as error:
                self._fail(sequence, error)

    def _leave(self, sequence: Sequence) -> PendingJob:
        sequence.leave(self._pool)
        self._free += sequence.width
        return self._sequences.pop(sequence)

    def _finish(self, sequence: Sequence, request: PendingJob) -> None:
        if not request.forgotten:
            self._continuations.put(request.job.session, sequence.continuation)
        self._put_back(sequence, request)
        request.done(sequence.result())

    def _put_back(self, sequence: Sequence, request: PendingJob) -> None:
        shared = any(other.page is sequence.page for other in self._sequences)
        if sequence.page is not None and not shared and not request.forgotten:
            self._page_cache.put(
                request.job.session, request.job.runtime.fingerprint, sequence.page
            )

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        self._leave(sequence).done(_failed(error))


def _failed(error: Exception) -> ComputationFailed:
    log_fault(log, error)
    return ComputationFailed("the computing of this request failed; the service's log says where")
