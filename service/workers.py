"""The worker processes and their supervisor, which never waits for one while another is dead.

uvicorn's own asks each worker in turn whether it is well and waits for the answer. A worker that
was killed while it started never gives one, and until the time is up nobody is replaced.
"""

import multiprocessing
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from service.sockets import of_worker


class Server(uvicorn.Server):
    """Tells when it listens and its application is ready."""

    def __init__(self, config: uvicorn.Config, telling: Connection) -> None:
        super().__init__(config)
        self._telling = telling

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Nobody may listen to this any more: where all were ready once, or the parent was killed.
        with suppress(BrokenPipeError):
            self._telling.send_bytes(b"ready")


class Worker(Process):
    """A process that is asked whether it is well without waiting for its answer."""

    _asked_at: float | None = None

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], telling: Connection
    ) -> None:
        super().__init__(config, sockets)
        self._telling = telling

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves, in the process; where its parent is killed it ends, and frees the port."""
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
        self._server = Server(self.config, self._telling)
        super().target([of_worker(claimed) for claimed in sockets or []])

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

    def __init__(self, config: uvicorn.Config, claimed: socket.socket, telling: Connection) -> None:
        super().__init__(config, [claimed])
        self._telling = telling

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

    def restart_all(self) -> None:
        """Replaces each worker by one that serves already, as SIGHUP asks for."""
        for index, old in enumerate(self.processes):
            fresh = self._started()
            if not fresh.wait_until_ready(self.config.timeout_worker_healthcheck, self.should_exit):
                fresh.kill()
                fresh.join()
                return
            old.terminate()
            old.join()
            self.processes[index] = fresh

    def handle_ttin(self) -> None:
        """One worker more."""
        self.processes_num += 1
        self.processes.append(self._started())

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets, self._telling)
        worker.start()
        return worker


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    signal.raise_signal(signal.SIGTERM)
