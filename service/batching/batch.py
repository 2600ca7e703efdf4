"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import numpy as np

from model.adaptation import Page
from model.decoding.next_step import predicted
from model.decoding.options import MOST_ALTERNATIVES
from model.errors import TextError
from model.served import Runtime
from service.batching.continuations import Predictions
from service.batching.page_cache import Pages
from service.batching.sequence import Computed, Job, Row
from service.errors import ComputationFailed
from service.http.faults import log_fault

log = logging.getLogger(__name__)

# Characters of windows that pages read before the next step: below a millisecond.
LONGEST_READING = 1024
# Steps of sessions that may be taken before another one can join: below a millisecond.
LONGEST_RUN = 64
# Fewer steps of each than this take longer at once than one by one.
SHORTEST_RUN = 4


class Request:
    """A job that somebody waits for, until it is done, has failed, or nobody waits any more."""

    def __init__(self, job: Job, done: Callable[[Computed | Exception], None]) -> None:
        self.job = job
        self.done = done
        self.abandoned = False
        # The session is deleted, so that nothing of it may be kept.
        self.forgotten = False


class Lane:
    """One pool of slots, the rows that hold some each, and the requests that wait for them.

    Slots belong to their row from `_join` to `_leave`, the one place that frees them. What a row
    does by itself fails for that row alone. When a call for all rows fails, their states are not
    known any more, so that none of them may go on: `advance` raises, and `fail_all` ends them.
    """

    def __init__(
        self, runtime: Runtime, capacity: int, predictions: Predictions, pages: Pages
    ) -> None:
        """`predictions` and `pages` are what is kept of sessions between their requests."""
        self._capacity = capacity
        self._predictions = predictions
        self._pages = pages
        self._adaptation = runtime.adaptation
        # Room for the widest row beside all others, so that none waits for ever.
        self._pool = runtime.pool(capacity + MOST_ALTERNATIVES - 1)
        self._free = self._pool.capacity
        self._waiting: deque[Request] = deque()
        self._rows: dict[Row, Request] = {}

    @property
    def busy(self) -> bool:
        """Whether anything waits or computes."""
        return bool(self._waiting or self._rows)

    @property
    def taken(self) -> int:
        """How many slots rows hold now."""
        return self._pool.capacity - self._free

    def add(self, request: Request) -> None:
        """Queues a request; it joins at the next step at which there is room."""
        self._waiting.append(request)

    def advance(self) -> None:
        """One step for all rows; requests join before it, and leave after it when done."""
        for row in [row for row, request in self._rows.items() if request.abandoned]:
            self._put_back(row, self._leave(row))
        while self._waiting and self._has_room(self._waiting[0]):
            self._join(self._waiting.popleft())
        self._read_pages([row for row in self._rows if row.page_lacks])
        self._step(list(self._rows))
        self._ask(list(self._rows))
        for row in [row for row in self._rows if row.finished]:
            self._finish(row, self._leave(row))

    def fail_all(self, error: Exception) -> None:
        """Ends every row and every request that waits; the lane goes on with what comes next."""
        for row in list(self._rows):
            self._leave(row).done(error)
        while self._waiting:
            self._waiting.popleft().done(error)

    def forget(self, session: str) -> None:
        """Lets nothing of the session be kept that is being computed or waits."""
        for request in (*self._rows.values(), *self._waiting):
            if request.job.session == session:
                request.forgotten = True

    def _has_room(self, request: Request) -> bool:
        return len(self._rows) < self._capacity and request.job.options.n <= self._free

    def _join(self, request: Request) -> None:
        if request.abandoned:
            return
        job = request.job
        try:
            row = Row(job, self._predictions.get(job.session), self._page(job))
        except Exception as error:
            request.done(error if isinstance(error, TextError) else _failed(error))
            return
        if row.finished:
            self._finish(row, request)
            return
        row.slots = [self._pool.acquire() for _ in range(row.width)]
        self._free -= row.width
        self._rows[row] = request
        self._alone(row, self._begin)

    def _page(self, job: Job) -> Page | None:
        """A page for a job: no other row moves it, nor does this one another's."""
        if self._adaptation is None:
            return None
        for row in self._rows:
            # Ways to go on from one text share its page, which all of them only read.
            same = row.job.window == job.window and row.job.options.suffix == job.options.suffix
            if row.job.session == job.session and same and not row.page_lacks:
                return row.page
        return self._pages.take(job.session, job.runtime.fingerprint) or self._adaptation.page()

    def _read_pages(self, rows: Sequence[Row]) -> None:
        left = LONGEST_READING
        for row in rows:
            most, left = left, max(0, left - row.page_lacks)
            if most:
                self._alone(row, partial(Row.read_page, most=most))

    def _begin(self, row: Row) -> None:
        if row.state is None:
            self._pool.start(row.slots[0])
        else:
            self._pool.write(row.slots[0], row.state)

    def _step(self, rows: Sequence[Row]) -> None:
        stepping: list[Row] = []
        steps: list[tuple[int, int]] = []

        def move(row: Row) -> None:
            if own := row.move(self._pool):
                stepping.append(row)
                steps.extend(own)

        for row in rows:
            self._alone(row, move)
        if not steps:
            return
        run = min(LONGEST_RUN // len(steps), *(row.run for row in stepping))
        if run < SHORTEST_RUN:
            run = 1
            slots, ids = zip(*steps, strict=True)
            self._pool.step(np.array(slots, np.int64), np.array(ids, np.int32))
        else:
            self._pool.absorb([slot for slot, _ in steps], [row.ahead(run) for row in stepping])
        for row in stepping:
            self._alone(row, partial(self._stepped, count=run))

    def _stepped(self, row: Row, count: int) -> None:
        row.stepped(self._pool.read(row.slots[0]) if row.reads(count) else None, count)

    def _ask(self, rows: Sequence[Row]) -> None:
        asking = [row for row in rows if row.asking]
        self._tell([row for row in asking if not row.whole], whole=False)
        self._tell([row for row in asking if row.whole], whole=True)

    def _tell(self, rows: Sequence[Row], whole: bool) -> None:
        asks = [row.asks for row in rows]
        states = [
            self._pool.read(slot) if row.keeps else None
            for row, slots in zip(rows, asks, strict=True)
            for slot in slots
        ]
        slots = [slot for own in asks for slot in own]
        cursors = [cursor for row in rows for cursor in row.cursors]
        found = iter(predicted(self._pool, self._adaptation, slots, cursors, whole, states))
        for row, own in zip(rows, asks, strict=True):
            self._alone(row, partial(Row.take, outlooks=list(islice(found, len(own)))))

    def _leave(self, row: Row) -> Request:
        for slot in row.slots:
            self._pool.release(slot)
        self._free += row.width
        return self._rows.pop(row)

    def _finish(self, row: Row, request: Request) -> None:
        if not request.forgotten:
            self._predictions.keep(request.job.session, row.prediction)
        self._put_back(row, request)
        request.done(row.result())

    def _put_back(self, row: Row, request: Request) -> None:
        shared = any(other.page is row.page for other in self._rows)
        if row.page is not None and not shared and not request.forgotten:
            self._pages.put(request.job.session, request.job.runtime.fingerprint, row.page)

    def _alone(self, row: Row, call: Callable[[Row], object]) -> None:
        try:
            call(row)
        except Exception as error:
            self._leave(row).done(_failed(error))


def _failed(error: Exception) -> ComputationFailed:
    log_fault(log, error)
    return ComputationFailed("the computing of this request failed; the service's log says where")
