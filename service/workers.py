"""The worker processes, and a supervisor that never waits for one worker while another is dead.

uvicorn's own supervisor asks each worker in turn whether it is healthy and waits for the answer. A
worker that was killed while it started never answers, so uvicorn would replace no other worker
until the timeout.
"""

import gc
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
    """A server that reports through `ready_writer` once it listens and its application is ready."""

    def __init__(self, config: uvicorn.Config, ready_writer: Connection) -> None:
        super().__init__(config)
        self._ready_writer = ready_writer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded by now stays. If the garbage collector went through it again and again,
        # each time would hold up everybody for tens of milliseconds.
        gc.collect()
        gc.freeze()
        # The pipe's reader is closed once all workers have reported, or if the parent was killed.
        # A worker that is started after that, in place of another, has nobody to report to.
        with suppress(BrokenPipeError):
            self._ready_writer.send_bytes(b"ready")


class Worker(Process):
    """A worker process whose health check does not wait for the worker's answer."""

    _asked_at: float | None = None

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], ready_writer: Connection
    ) -> None:
        super().__init__(config, sockets)
        self._ready_writer = ready_writer

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves, in the worker's process. If the parent is killed, it ends and frees the port."""
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
        self._server = Server(self.config, self._ready_writer)
        super().target([of_worker(claimed) for claimed in sockets or []])

    def is_alive(self, timeout: float = 5) -> bool:
        """False if the worker has ended, or has not answered for `timeout` seconds.

        One call sends the question, and a later call reads the answer.
        """
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
    """Starts the workers, and replaces each one that ends or hangs."""

    def __init__(
        self, config: uvicorn.Config, claimed: socket.socket, ready_writer: Connection
    ) -> None:
        super().__init__(config, [claimed])
        self._ready_writer = ready_writer

    def init_processes(self) -> None:
        self.processes += [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Checks each worker once, and replaces it if needed.

        Stops the service if a worker cannot start, because then no other worker could.
        """
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
        """Replaces each worker, at SIGHUP, once the new one is ready."""
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
        """Starts one more worker, at SIGTTIN."""
        self.processes_num += 1
        self.processes.append(self._started())

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets, self._ready_writer)
        worker.start()
        return worker


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    signal.raise_signal(signal.SIGTERM)
