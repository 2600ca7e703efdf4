"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import numpy as np

from model.decoding import MOST_ALTERNATIVES
from model.errors import TextError
from model.outlook import outlooks
from model.runtime import Runtime
from service.errors import ComputationFailed
from service.faults import log_fault
from service.predictions import Predictions
from service.rows import Computed, Job, Row

log = logging.getLogger(__name__)

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


class Lane:
    """One pool of slots, the rows that hold some each, and the requests that wait for them.

    Slots belong to their row from `_join` to `_leave`, the one place that frees them. What a row
    does by itself fails for that row alone. When a call for all rows fails, their states are not
    known any more, so that none of them may go on: `advance` raises, and `fail_all` ends them.
    """

    def __init__(self, runtime: Runtime, capacity: int, predictions: Predictions) -> None:
        self._capacity = capacity
        self._predictions = predictions
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
            self._leave(row)
        while self._waiting and self._has_room(self._waiting[0]):
            self._join(self._waiting.popleft())
        self._step(list(self._rows))
        self._read_next([row for row in self._rows if row.wants_next])
        self._ask(list(self._rows))
        for row in [row for row in self._rows if row.finished]:
            self._finish(row, self._leave(row))

    def fail_all(self, error: Exception) -> None:
        """Ends every row and every request that waits; the lane goes on with what comes next."""
        for row in list(self._rows):
            self._leave(row).done(error)
        while self._waiting:
            self._waiting.popleft().done(error)

    def _has_room(self, request: Request) -> bool:
        return len(self._rows) < self._capacity and request.job.options.n <= self._free

    def _join(self, request: Request) -> None:
        if request.abandoned:
            return
        try:
            row = Row(request.job, self._predictions.get(request.job.session))
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

    def _begin(self, row: Row) -> None:
        if row.state is None:
            self._pool.start(row.slots[0])
        else:
            self._pool.write(row.slots[0], row.state)

    def _step(self, rows: Sequence[Row]) -> None:
        stepping: list[Row] = []
        steps: list[tuple[int, int]] = []
        for row in rows:
            for slot, state in row.writes:
                self._pool.write(slot, state)
            if own := row.steps:
                stepping.append(row)
                steps += own
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

    def _read_next(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        slots = [row.slots[0] for row in rows]
        for row, probabilities in zip(rows, self._pool.probabilities(slots), strict=True):
            row.next = probabilities

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
        found = iter(outlooks(self._pool, slots, whole, states))
        for row, own in zip(rows, asks, strict=True):
            self._alone(row, partial(Row.take, outlooks=list(islice(found, len(own)))))

    def _leave(self, row: Row) -> Request:
        for slot in row.slots:
            self._pool.release(slot)
        self._free += row.width
        return self._rows.pop(row)

    def _finish(self, row: Row, request: Request) -> None:
        self._predictions.keep(request.job.session, row.prediction)
        request.done(row.result())

    def _alone(self, row: Row, call: Callable[[Row], None]) -> None:
        try:
            call(row)
        except Exception as error:
            self._leave(row).done(_failed(error))


def _failed(error: Exception) -> ComputationFailed:
    log_fault(log, error)
    return ComputationFailed("the computing of this request failed; the service's log says where")
