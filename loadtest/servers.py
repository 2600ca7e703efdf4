"""The servers of a load test: started on free ports of 127.0.0.1, and always stopped."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.errors import LoadTestError

ROOT = Path(__file__).parents[1]
# How long a server may take until it is ready, and until it has stopped.
START_SECONDS = 60
STOP_SECONDS = 15
READ_EVERY_SECONDS = 0.1
READY = re.compile(r"ready on (http://127\.0\.0\.1:\d+)")
REDIS_READY = re.compile(r"Ready to accept connections")


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """A redis-server that writes nothing to disk; gives its address. Raises LoadTestError."""
    program = shutil.which("redis-server")
    if program is None:
        raise LoadTestError(
            "redis-server is missing; install it (scripts/install says how), or take --store memory"
        )
    port = _free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    with running([*command, "--save", "", "--appendonly", "no"], folder / "redis.log") as process:
        _wait_for(process, REDIS_READY, folder / "redis.log")
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def running_service(
    checkpoint: Path, store: str, workers: int, folder: Path
) -> Iterator[tuple[str, int]]:
    """The service on a free port; gives its address and process id. Raises LoadTestError."""
    command = [sys.executable, "-m", "nextchar", "serve", "--checkpoint", str(checkpoint)]
    command += ["--store", store, "--host", "127.0.0.1", "--port", "0"]
    command += ["--workers", str(workers)]
    with running(command, folder / "service.log") as process:
        yield _wait_for(process, READY, folder / "service.log")[1], process.pid


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to `log`; in the end it is terminated, and killed if needed."""
    # If a signal ended this program while Popen runs, nobody would stop the new process. So signals
    # are held until the process is known, and raised then.
    held: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        for missed in held:
            signal.raise_signal(missed)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """The last line that a process wrote, and the path of its log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} (its log: {log})"


def _wait_for(process: subprocess.Popen[bytes], ready: re.Pattern[str], log: Path) -> re.Match[str]:
    """Reads the log until it matches `ready`; raises LoadTestError if the server is not ready."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := ready.search(log.read_text(encoding="utf-8", errors="replace")):
            return found
        time.sleep(READ_EVERY_SECONDS)
    wrong = "ended" if process.poll() is not None else f"was not ready within {START_SECONDS} s"
    raise LoadTestError(f"{log.stem} {wrong}: {last_line(log)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
