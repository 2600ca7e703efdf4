"""The batch of one model: all its requests advance together, one id a step."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.runtime import Runtime
from service.errors import ComputationFailed
from service.faults import log_fault
from service.predictions import Predictions
from service.rows import Computed, Job, Row

log = logging.getLogger(__name__)


class Request:
    """A job that somebody waits for, until it is done, has failed, or nobody waits any more."""

    def __init__(self, job: Job, done: Callable[[Computed | Exception], None]) -> None:
        self.job = job
        self.done = done
        self.abandoned = False


class Lane:
    """One pool of slots, the rows that hold one each, and the requests that wait for one.

    A slot belongs to its row from `_join` to `_leave`, the one place that frees it. A row that
    fails does so alone.
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

    def add(self, request: Request) -> None:
        """Queues a request; it joins at the next step at which a slot is free."""
        self._waiting.append(request)

    def advance(self) -> None:
        """One step for all rows; requests join before it, and leave after it when done."""
        for row in [row for row, request in self._rows.items() if request.abandoned]:
            self._leave(row)
        while self._waiting and len(self._rows) < self._capacity:
            self._join(self._waiting.popleft())
        for row in self._each(self._step, [r for r in self._rows if r.next_id is not None]):
            row.stepped(self._pool.read(row.slot) if row.reads else None)
        self._each(self._read_next, [row for row in self._rows if row.wants_next])
        self._each(self._choose, [row for row in self._rows if row.next_id is None])
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
            request.done(error)
            return
        if row.finished:
            self._finish(row, request)
            return
        row.slot = self._pool.acquire()
        self._rows[row] = request
        self._each(self._begin, [row])

    def _leave(self, row: Row) -> Request:
        self._pool.release(row.slot)
        return self._rows.pop(row)

    def _finish(self, row: Row, request: Request) -> None:
        self._predictions.keep(request.job.session, row.prediction)
        request.done(row.result())

    def _begin(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.state is None:
                self._pool.start(row.slot)
            else:
                self._pool.write(row.slot, row.state)

    def _step(self, rows: Sequence[Row]) -> None:
        ids = np.array([row.next_id for row in rows], dtype=np.int32)
        self._pool.step(_slots(rows), ids)

    def _read_next(self, rows: Sequence[Row]) -> None:
        for row, probabilities in zip(rows, self._pool.probabilities(_slots(rows)), strict=True):
            row.next = probabilities.copy()

    def _choose(self, rows: Sequence[Row]) -> None:
        ids, probabilities = self._pool.best(_slots(rows))
        for row, index, probability in zip(rows, ids, probabilities, strict=True):
            row.chose(int(index), float(probability))

    def _each(self, call: Callable[[Sequence[Row]], None], rows: Sequence[Row]) -> Sequence[Row]:
        """Calls for all rows at once, or for each alone when that fails; those that succeeded.

        A call that raises has changed no state, so it can be made again for fewer rows.
        """
        if not rows:
            return rows
        try:
            call(rows)
        except Exception as error:
            if len(rows) > 1:
                return [row for one in rows for row in self._each(call, [one])]
            log_fault(log, error)
            self._leave(rows[0]).done(ComputationFailed("the computing of this request failed"))
            return ()
        return rows


def _slots(rows: Sequence[Row]) -> NDArray[np.intp]:
    return np.array([row.slot for row in rows], dtype=np.intp)
