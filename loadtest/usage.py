"""What the service uses while it is tested: processor time and memory, its workers' too."""

import time

import psutil

from loadtest.errors import LoadTestError
from loadtest.figures import Usage


class Watch:
    """Follows a process and its children from the moment it is made."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._begin = time.monotonic()
        self._seconds = self._processor_seconds()
        self._peak = 0.0

    def look(self) -> Usage:
        """What was used so far. Raises LoadTestError when the process is gone."""
        try:
            self._peak = max(self._peak, sum(p.memory_info().rss for p in self._family()) / 1e6)
            used = self._processor_seconds() - self._seconds
        except psutil.NoSuchProcess:
            raise LoadTestError("the service ended during the test; see its log") from None
        elapsed = time.monotonic() - self._begin
        return Usage(cores=used / elapsed if elapsed else 0.0, peak_megabytes=self._peak)

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _processor_seconds(self) -> float:
        return sum(t.user + t.system for t in (p.cpu_times() for p in self._family()))
