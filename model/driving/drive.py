"""A drive: it takes texts, absorbs and decodes them in C, and gives them back."""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from model.adaptation.native import NativeEngine
from model.decoding.candidate import LEAST_FOLLOWED_PROBABILITY
from model.decoding.options import Options
from model.driving import library as c
from model.driving.job import DriveJob, LatestEnd
from model.errors import TextError
from model.runtime import native_library
from model.runtime.native_backend import NativePool
from model.served import Runtime

# The probabilities of a candidate are multiplied in another order in C. So C's bounds are lower by
# this share, and it may go on for an id that Python then does not take.
ROUNDING = 1e-6


def drives(runtime: Runtime) -> bool:
    """Whether a drive can compute with this runtime: whether all of it runs in C."""
    adapts_in_c = runtime.adaptation is None or isinstance(runtime.adaptation.engine, NativeEngine)
    return runtime.backend != "numpy" and adapts_in_c and c.library() is not None


class Lane:
    """What one runtime's jobs are computed with: its pool, and the memory that C works in."""

    def __init__(self, runtime: Runtime, number: int, capacity: int) -> None:
        pool = runtime.pool(capacity)
        assert isinstance(pool, NativePool)
        self.runtime = runtime
        self.number = number
        self.pool = pool
        self.size = runtime.vocabulary.size
        self.units = runtime.network.config.hidden
        self.state_size = runtime.state_size
        # The id, the distribution, the hidden state and the state; ids lie at multiples of 8.
        stride = 8 + 4 * self.size + self.units + self.state_size
        self.kept_stride = stride + -stride % 8
        slot = pool.acquire()
        pool.start(slot)
        self.start = pool.read(slot)
        pool.release(slot)
        self._line_ends = _line_end(runtime, "\n"), _line_end(runtime, "\r")
        self._least_raw: dict[float, float] = {}
        self._room = (
            np.empty(self.units, np.int8),
            np.empty(self.size, np.float32),
            np.empty(capacity, np.uint64),
            np.empty(capacity, np.int64),
        )
        self._functions = _functions(runtime)
        self.structure = c.CBatch(
            ctypes.pointer(self._functions),
            pool.address,
            capacity,
            self.size,
            pool.padded_size,
            len(runtime.vocabulary.characters),
            self.units,
            self.state_size,
            self.kept_stride,
            *(array.ctypes.data for array in self._room),
        )

    def latest_end(self, options: Options, ids: int, characters: int) -> LatestEnd:
        """Where decoding ends with these options after so many more ids or characters."""
        confidence = options.least_confidence
        first = self._least_raw.get(confidence)
        if first is None:
            first = self._least_raw[confidence] = least_raw(self.runtime, confidence)
        least = max(first, LEAST_FOLLOWED_PROBABILITY) if options.by_value else first
        line_ends = self._line_ends if options.max_lines == 1 else (-1, -1)
        return LatestEnd(ids, characters, line_ends, first * (1 - ROUNDING), least * (1 - ROUNDING))


class Drive:
    """Jobs of several runtimes, computed by the thread that calls `run`.

    `submit` and `collect` are called on one other thread. `done_fd` becomes readable when there is
    something to collect.
    """

    def __init__(self, runtimes: Sequence[Runtime], capacity: int) -> None:
        """At most `capacity` jobs of each runtime are computed at a time; the others wait."""
        found = c.library()
        assert found is not None
        self._library: Any = found
        self.lanes = {
            runtime: Lane(runtime, number, capacity) for number, runtime in enumerate(runtimes)
        }
        self._batches = (c.CBatch * len(self.lanes))(
            *(lane.structure for lane in self.lanes.values())
        )
        work, wake = os.pipe()
        self.done_fd, done = os.pipe()
        self._fds = [work, wake, self.done_fd, done]
        os.set_blocking(self.done_fd, False)
        self._structure = c.CDrive(
            self._batches,
            len(self.lanes),
            work_fd=work,
            wake_fd=wake,
            done_fd=done,
        )
        self._address = ctypes.addressof(self._structure)
        self._library.drive_start(self._address)
        self._jobs: dict[int, DriveJob] = {}

    def submit(self, *jobs: DriveJob) -> None:
        """Hands jobs over; nobody may touch what they point to until they are collected."""
        newest = None
        for job in jobs:
            self._jobs[job.address] = job
            job.structure.next = newest
            newest = job.address
        self._library.drive_submit(self._address, newest, jobs[0].address)

    def collect(self) -> list[DriveJob]:
        """The jobs that are done, in the order in which they ended."""
        with suppress(BlockingIOError):
            os.read(self.done_fd, 4096)
        done = []
        address = self._library.drive_collect(self._address)
        while address:
            job = self._jobs.pop(address)
            done.append(job)
            address = job.structure.next
        return done[::-1]

    @property
    def pending(self) -> list[DriveJob]:
        """The jobs that were submitted and not collected."""
        return list(self._jobs.values())

    def run(self) -> None:
        """Computes until `stop`."""
        c.run()(self._address, False)

    def finish(self) -> None:
        """Computes on this thread until nothing is left to do."""
        c.run()(self._address, True)

    def stop(self) -> None:
        """Lets `run` return after its current step."""
        self._library.drive_stop(self._address)

    def close(self) -> None:
        """Closes the pipes; `run` must have returned."""
        while self._fds:
            os.close(self._fds.pop())


def least_raw(runtime: Runtime, confidence: float) -> float:
    """A raw probability below which no calibrated one reaches `confidence`, 0 where all may."""
    if runtime.calibration(0.0) >= confidence:
        return 0.0
    low, high = 0.0, 1.0
    # The calibrated probability rises with the raw one.
    for _ in range(60):
        middle = (low + high) / 2
        if runtime.calibration(middle) < confidence:
            low = middle
        else:
            high = middle
    return low


def _line_end(runtime: Runtime, character: str) -> int:
    """The id of a line end, or -1 where the vocabulary has none for it."""
    try:
        (index,) = runtime.vocabulary.spell(character)
    except TextError:
        return -1
    return index


def _functions(runtime: Runtime) -> c.CFunctions:
    step = native_library.functions(runtime.backend)
    shared = native_library.library()
    assert shared is not None
    addresses = [_address(f) for f in (step.step, step.predict, step.put, shared.hidden_of)]
    if runtime.adaptation is not None:
        engine = runtime.adaptation.engine
        assert isinstance(engine, NativeEngine)
        adapt = engine.library
        names = ("page_absorb", "page_truncate", "cursor_start", "cursors_push", "cursors_best")
        addresses += [_address(getattr(adapt, name)) for name in names]
    return c.CFunctions(*addresses)


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value
