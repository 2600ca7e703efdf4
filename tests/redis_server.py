"""A real redis-server of a test's own: started on a free port, stopped, started again."""

import random
import shutil
import signal
import socket
import subprocess
from collections import deque
from contextlib import ExitStack, suppress
from pathlib import Path

READY = "Ready to accept connections"
# Linux gives connections that begin here ports from 32,768 on.
BELOW_THE_PORTS_OF_CONNECTIONS = (16_384, 32_768)


class RedisServer:
    """A redis-server that keeps its address over stops and starts, and nothing on disk."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The address as `--store` takes it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it and returns once it takes connections; RuntimeError if it does not."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError(
                "redis-server is missing: the tests run against a real one; scripts/install says "
                "how to install it"
            )
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
        self._process = subprocess.Popen(
            [
                program,
                "--port",
                str(self.port),
                "--dir",
                str(self._folder),
                *options,
                *self._options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said: deque[str] = deque(maxlen=20)
        for line in self._process.stdout:
            if READY in line:
                return
            said.append(line)
        self.stop()
        raise RuntimeError(f"redis-server ended before it was ready: {''.join(said)}")

    def stop(self) -> None:
        """Kills the server; nothing that it held is left."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def hang(self) -> None:
        """Lets it answer nothing more, with its connections open, until it goes on or is killed."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Lets it answer again, also what it was asked meanwhile."""
        self._send(signal.SIGCONT)

    def _send(self, told: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(told)


def free_port() -> int:
    """A port that nothing listens on now."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different ports that nothing uses now, and that no connection is given while none listens."""
    drawn = random.SystemRandom()
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = drawn.randrange(*BELOW_THE_PORTS_OF_CONNECTIONS)
            with suppress(OSError):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                ports.append(port)
        return ports
