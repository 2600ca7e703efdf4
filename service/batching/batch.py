"""The batch of one model: all its requests advance together, step by step."""

import logging
from collections import deque
from collections.abc import Callable

from model.adaptation import Page
from model.decoding.continuation import ChosenSteps, Continuation
from model.decoding.options import MOST_ALTERNATIVES
from model.decoding.running import Phase
from model.decoding.stepping import step_and_predict
from model.errors import TextError
from model.served import Runtime
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job, Sequence
from service.errors import computation_failed
from service.expiring import ExpiringMap

log = logging.getLogger(__name__)

# How many characters all pages together may read before each step. Reading them takes less than a
# millisecond.
MOST_CHARACTERS_READ_PER_STEP = 1024
# How many steps all sequences together may take before another sequence can join. They take less
# than a millisecond.
MOST_STEPS_AT_ONCE = 64


class PendingJob:
    """A job that a caller waits for.

    `done` is called with the result or the error, unless the job was abandoned before.
    """

    def __init__(self, job: Job, done: Callable[[Computed | Exception], None]) -> None:
        self.job = job
        self.done = done
        # Nobody waits for the job any more.
        self.abandoned = False
        # The session was deleted, so nothing of it may be kept.
        self.forgotten = False


class Batch:
    """One pool of slots, the sequences that hold them, and the requests that wait for slots.

    A sequence holds its slots from `_join` to `_leave`, which is the only place that frees them. An
    error in what one sequence does by itself ends that sequence alone. If a call for all sequences
    fails, their states are unknown and none of them may go on: `advance` raises, and the caller
    ends them by `fail_all`.
    """

    def __init__(
        self,
        runtime: Runtime,
        capacity: int,
        continuations: ExpiringMap[str, Continuation[ChosenSteps]],
        page_cache: PageCache,
    ) -> None:
        """`continuations` and `page_cache` keep the data of sessions between their requests."""
        self._capacity = capacity
        self._continuations = continuations
        self._page_cache = page_cache
        self._adaptation = runtime.adaptation
        # The widest sequence fits even beside `capacity` - 1 sequences of one slot. In a pool that
        # is smaller than the widest sequence, that sequence would wait forever.
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
        """How many slots are held by sequences."""
        return self._pool.capacity - self._free

    def add(self, request: PendingJob) -> None:
        """Queues a request; it joins before the first step for which there is room."""
        self._waiting.append(request)

    def advance(self) -> None:
        """Advances all sequences by one step; those that only absorb may take several at once.

        Requests join before the step. Those that are done leave after it.
        """
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
        """Ends every sequence and every waiting request with this error; later ones are served."""
        for sequence in list(self._sequences):
            self._leave(sequence).done(error)
        while self._waiting:
            self._waiting.popleft().done(error)

    def forget(self, session: str) -> None:
        """Marks the session's running and waiting requests, so that nothing of them is kept."""
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
            request.done(error if isinstance(error, TextError) else computation_failed(log, error))
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
        """A page for a job. Two sequences never share a page unless their texts are the same."""
        if self._adaptation is None:
            return None
        for sequence in self._sequences:
            # A request with several options decodes one text in several sequences. They share the
            # page, which holds the whole text already, so that none of them changes it.
            same = (
                sequence.job.window == job.window
                and sequence.job.options.suffix == job.options.suffix
            )
            if sequence.job.session == job.session and same and not sequence.page_missing:
                return sequence.page
        return (
            self._page_cache.take(job.session, job.runtime.fingerprint) or self._adaptation.page()
        )

    def _read_pages(self, characters: int) -> None:
        """Lets unfinished pages read on, by at most `characters` characters in total."""
        for sequence in [sequence for sequence in self._sequences if sequence.page_missing]:
            most, characters = characters, max(0, characters - sequence.page_missing)
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
        self._leave(sequence).done(computation_failed(log, error))
