"""What the invariant is tested on: a service of two workers with its Redis, and their faults."""

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
import redis

from model.checkpoint import load
from model.served import Runtime
from tests.redis_server import RedisServer, free_port
from tests.service.running import process, reference

WORKERS = 2
TTL_SECONDS = 3600


class Stage:
    """The service in processes of its own, always on the same port; each fault is a method.

    It serves one folder. `swap_checkpoint` copies the next checkpoint into it, so the model keeps
    its name while its fingerprint changes.
    """

    def __init__(self, folder: Path, checkpoints: list[Path]) -> None:
        self._folder = folder
        self._served = folder / "served"
        self._checkpoints = cycle((path, Runtime(load(path))) for path in checkpoints)
        self._redis = RedisServer(folder)
        self._port = free_port()
        self._running = ExitStack()
        self._expected: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[str]
        self.runtime: Runtime
        self.loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        self._redis.start()
        self._place_checkpoint()
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()
        self._redis.stop()
        self.loop.close()

    @property
    def log(self) -> str:
        """Everything that the service has written to standard error."""
        return (self._folder / "service.log").read_text("utf-8")

    @property
    def resident_megabytes(self) -> float:
        """The memory that the workers take now."""
        return sum(worker.memory_info().rss for worker in self._workers()) / 2**20

    def expected(self, text: str, top: int, options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        """The answer of a fresh computation of the whole text, by the checkpoint that is served."""
        asked = (self.runtime.fingerprint, text, top, options)
        if asked not in self._expected:
            if len(self._expected) > 1000:
                self._expected.clear()
            answer = reference(self.runtime, text, top, **dict(options))
            self._expected[asked] = answer | {"model": self._served.name}
        return self._expected[asked]

    def kill_worker(self, index: int) -> None:
        """Kills one worker with SIGKILL; the service starts another."""
        workers = self._workers()
        if workers:
            workers[index % len(workers)].kill()

    def restart_service(self, told: signal.Signals) -> None:
        """Ends all processes of the service and starts it again."""
        self._end(told)
        self._start()

    def swap_checkpoint(self, told: signal.Signals) -> None:
        """Restarts the service with another checkpoint of the same name."""
        self._end(told)
        self._place_checkpoint()
        self._start()

    def restart_redis(self) -> None:
        """Kills Redis and starts it again, empty."""
        self._redis.stop()
        self._redis.start()

    def flush_redis(self) -> None:
        """Empties Redis."""
        with self._client() as client:
            client.flushall()

    def flush_scripts(self) -> None:
        """Removes the scripts from Redis."""
        with self._client() as client:
            client.script_flush()

    def cut_connections(self) -> None:
        """Closes the connections between the service and Redis."""
        with self._client() as client:
            client.client_kill_filter(_type="normal", skipme=True)

    def expire_sessions(self) -> None:
        """Lets every session expire."""
        with self._client() as client:
            for key in client.scan_iter():
                client.pexpire(key, 1)
            while client.dbsize():
                # Redis removes an expired key when somebody asks for it.
                client.randomkey()

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self._redis.url)

    def _workers(self) -> list[psutil.Process]:
        """The worker processes, without the resource tracker of multiprocessing."""
        children = psutil.Process(self._process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(_command(child))]

    def _place_checkpoint(self) -> None:
        path, self.runtime = next(self._checkpoints)
        shutil.rmtree(self._served, ignore_errors=True)
        shutil.copytree(path, self._served)

    def _start(self) -> None:
        log = self._running.enter_context((self._folder / "service.log").open("a"))
        settings: dict[str, Any] = {
            "checkpoint": self._served,
            "store": self._redis.url,
            "workers": WORKERS,
            "port": self._port,
            "session_ttl_seconds": TTL_SECONDS,
            "store_timeout_seconds": 0.25,
        }
        _, self._process = self._running.enter_context(process(log, **settings))

    def _end(self, told: signal.Signals) -> None:
        workers = self._workers()
        os.kill(self._process.pid, told)
        self._process.wait(timeout=30)
        psutil.wait_procs(workers, timeout=30)
        self._running.close()


def _command(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.Error:
        return []


async def tell(http: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    """The response to a request, which is sent again as long as connections break."""
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        try:
            return await http.post("/complete", json=body)
        except httpx.TransportError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.01)
