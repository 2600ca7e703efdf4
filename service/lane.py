"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.errors import TextError
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
    """One pool of slots, the rows that hold one each, and the requests that wait for one.

    A slot belongs to its row from `_join` to `_leave`, the one place that frees it. What a row
    does by itself fails for that row alone. When a call for all rows fails, their states are not
    known any more, so that none of them may go on: `advance` raises, and `fail_all` ends them.
    """

    def __init__(self, runtime: Runtime, capacity: int, predictions: Predictions) -> None:
        self._capacity = capacity
        self._predictions = predictions
        self._pool = runtime.pool(capacity)
        self._waiting: deque[Request] = deque()
        self._rows: dict[Row, Request] = {}

    @property
    def busy(self) -> bool:
        """Whether anything waits or computes."""
        return bool(self._waiting or self._rows)

    @property
    def taken(self) -> int:
        """How many slots rows hold now."""
        return len(self._rows)

    def add(self, request: Request) -> None:
        """Queues a request; it joins at the next step at which a slot is free."""
        self._waiting.append(request)

    def advance(self) -> None:
        """One step for all rows; requests join before it, and leave after it when done."""
        for row in [row for row, request in self._rows.items() if request.abandoned]:
            self._leave(row)
        while self._waiting and len(self._rows) < self._capacity:
            self._join(self._waiting.popleft())
        self._step([row for row in self._rows if row.next_id is not None])
        self._read_next([row for row in self._rows if row.wants_next])
        self._choose([row for row in self._rows if row.next_id is None])
        for row in [row for row in self._rows if row.finished]:
            self._finish(row, self._leave(row))

    def fail_all(self, error: Exception) -> None:
        """Ends every row and every request that waits; the lane goes on with what comes next."""
        for row in list(self._rows):
            self._leave(row).done(error)
        while self._waiting:
            self._waiting.popleft().done(error)

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
        row.slot = self._pool.acquire()
        self._rows[row] = request
        self._alone(row, self._begin)

    def _begin(self, row: Row) -> None:
        if row.state is None:
            self._pool.start(row.slot)
        else:
            self._pool.write(row.slot, row.state)

    def _step(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        run = min(LONGEST_RUN // len(rows), *(row.run for row in rows))
        if run < SHORTEST_RUN:
            run = 1
            self._pool.step(_slots(rows), np.array([row.next_id for row in rows], dtype=np.int32))
        else:
            self._pool.absorb(_slots(rows), [row.ahead(run) for row in rows])
        for row in rows:
            self._alone(row, partial(self._stepped, count=run))

    def _stepped(self, row: Row, count: int) -> None:
        row.stepped(self._pool.read(row.slot) if row.reads(count) else None, count)

    def _read_next(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        for row, probabilities in zip(rows, self._pool.probabilities(_slots(rows)), strict=True):
            row.next = probabilities

    def _choose(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        ids, probabilities = self._pool.best(_slots(rows))
        for row, index, probability in zip(rows, ids.tolist(), probabilities.tolist(), strict=True):
            self._alone(row, partial(Row.chose, index=index, probability=probability))

    def _leave(self, row: Row) -> Request:
        self._pool.release(row.slot)
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


def _slots(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.array([row.slot for row in rows], dtype=np.int64)
