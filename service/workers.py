"""The worker processes and their supervisor, which never waits for one while another is dead.

uvicorn's own asks each worker in turn whether it is well and waits for the answer. A worker that
was killed while it started never gives one, and until the time is up nobody is replaced.
"""

import time

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process


class Worker(Process):
    """A process that is asked whether it is well without waiting for its answer."""

    _asked_at: float | None = None

    def is_alive(self, timeout: float = 5) -> bool:
        """False once it has ended, or has owed an answer for longer than the timeout."""
        if not self.process.is_alive():
            return False
        if self._asked_at is None:
            self.parent_conn.send(b"ping")
            self._asked_at = time.monotonic()
        if self.parent_conn.poll(0):
            self.parent_conn.recv()
            self._asked_at = None
            return True
        return time.monotonic() - self._asked_at < timeout


class Workers(Multiprocess):
    """Starts workers, and starts another in the place of each that ends or hangs."""

    def init_processes(self) -> None:
        self.processes += [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Looks at each worker once. Ends when one cannot even start, for none could."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive(self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            self.processes[index] = self._started()

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
