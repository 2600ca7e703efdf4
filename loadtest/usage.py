"""Measures the processor time and memory of the service and its workers during a test."""

import time

import psutil

from loadtest.errors import LoadTestError
from loadtest.figures import ProcessUsage


class UsageMeter:
    """Measures a process and its descendants from the moment that the meter is made."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._begin = time.monotonic()
        self._seconds = {p: _processor_seconds(p) for p in self._family()}
        self._peak = 0.0

    def measure(self) -> ProcessUsage:
        """What was used so far; raises LoadTestError if the process has ended."""
        try:
            family = self._family()
            self._peak = max(self._peak, sum(p.memory_info().rss for p in family) / 1e6)
            used = {p: _processor_seconds(p) - self._seconds.get(p, 0.0) for p in family}
            workers = [p for p in family if "--multiprocessing-fork" in p.cmdline()]
        except psutil.NoSuchProcess:
            raise LoadTestError("the service ended during the test; see its log") from None
        elapsed = time.monotonic() - self._begin
        cores = {p: seconds / elapsed for p, seconds in used.items()}
        return ProcessUsage(
            cores=sum(cores.values()),
            worker_cores=tuple(cores[p] for p in workers or [self._process]),
            peak_megabytes=self._peak,
        )

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
