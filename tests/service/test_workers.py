"""The workers of a service: how connections reach them, and how they are replaced."""

import errno
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from model.served import Runtime
from service.errors import StartupError
from service.sockets import claim, listen, of_worker
from tests.service.clients import answer, connections, lives
from tests.service.running import comparable, process, reference


def changed(change: str) -> tuple[str, ...]:
    """The command that runs the program after this change of it."""
    begin = "import sys, service.server, service.sockets"
    return ("-c", f"{begin}; {change}; from nextchar.cli import main; sys.exit(main())")


# Behaves as on a system that does not spread connections over the sockets of one port.
SHARING = changed("service.sockets.SPREADS = False")
# If the supervisor waited for the answer of a dead worker, the test would run into its time limit.
LONG_HEALTH_CHECK = changed("service.server.HEALTH_CHECK_SECONDS = 3600")
SHORT_HEALTH_CHECK = changed("service.server.HEALTH_CHECK_SECONDS = 10")


def answer_when_back(url: str, **body: Any) -> dict[str, Any]:
    """The answer to a request that is sent once some worker listens."""
    port = urlsplit(url).port or 0

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait(listens)
    return answer(url, **body)


def wait(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; other processes must make it hold within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"


def workers_of(started: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The worker processes, without the helper process that multiprocessing starts."""
    return [child for child in psutil.Process(started.pid).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def held_by(worker: psutil.Process, url: str) -> set[int]:
    """The client ports of a worker's connections."""
    return {
        connection.raddr.port
        for connection in worker.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED
        and connection.laddr.port == urlsplit(url).port
    }


def listening_on(url: str) -> int:
    """How many sockets listen on the port of this address."""
    port = f":{urlsplit(url).port or 0:04X}"
    tables = [Path(f"/proc/net/{name}").read_text().splitlines() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table]
    return sum(own.endswith(port) and state == "0A" for _, own, _, state, *_ in sockets)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_a_claimed_port_is_refused_to_others_and_accepts_no_connection_itself(host: str) -> None:
    with claim(host, 0) as claimed:
        port = claimed.getsockname()[1]
        with of_worker(claimed) as own:
            for taking in (claim, listen):
                with pytest.raises(StartupError, match="cannot listen on"):
                    taking(host, port)
            with socket.socket(claimed.family) as client:
                assert client.connect_ex(own.getsockname()) == errno.ECONNREFUSED
            own.listen()
            with socket.create_connection(own.getsockname()[:2]) as client:
                accepted, _ = own.accept()
                # The side that closes first keeps the address in use for a while (TIME_WAIT).
                accepted.close()
                assert client.recv(1) == b""
    with claim(host, port), pytest.raises(StartupError):
        listen(host, port)
    listen(host, port).close()


def test_no_worker_computes_on_more_threads_than_one(
    checkpoint: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(**settings, backend="numpy") as (_, started):
        for worker in workers_of(started):
            assert worker.environ()["OPENBLAS_NUM_THREADS"] == "1"


def test_workers_end_with_their_parent(checkpoint: Path, redis_url: str) -> None:
    with process(checkpoint=checkpoint, store=redis_url, workers=2) as (_, started):
        workers = psutil.Process(started.pid).children()
        started.kill()
        _, running = psutil.wait_procs(workers, timeout=60)
        assert running == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_spread_over_the_workers(
    checkpoint: Path, redis_url: str, host: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "host": host}
    with process(workers=3, **settings) as (url, started), connections(url, 400) as opened:
        assert listening_on(url) == 3
        shares = [held_by(worker, url) for worker in workers_of(started)]
        assert set().union(*shares) == set(opened)
        assert min(map(len, shares)) > 85


def test_a_killed_worker_loses_only_its_own_connections(checkpoint: Path, redis_url: str) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 3}
    with process(**settings) as (url, started), connections(url, 30) as opened:
        killed, *others = workers_of(started)
        kept = set().union(*(held_by(worker, url) for worker in others))
        assert 0 < len(kept) < 30
        killed.kill()
        killed.wait()
        # No connection waits on the socket of the killed worker.
        with connections(url, 30) as later:
            assert set(later) <= set().union(*(held_by(w, url) for w in workers_of(started)))
        assert all(lives(opened[port]) for port in kept)

        def reached_in_its_place() -> bool:
            with connections(url, 10):
                return any(held_by(w, url) for w in set(workers_of(started)) - {*others})

        wait(reached_in_its_place)


def test_a_worker_that_is_told_to_end_takes_no_more_connections(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(**settings) as (url, started), connections(url, 1) as opened:
        [(port, unfinished)] = opened.items()
        unfinished.putrequest("POST", "/complete")
        unfinished.putheader("Content-Length", "2")
        unfinished.endheaders(b"{")
        told, other = sorted(workers_of(started), key=lambda w: port not in held_by(w, url))
        told.send_signal(signal.SIGTERM)
        wait(lambda: all(c.status != psutil.CONN_LISTEN for c in told.net_connections("tcp")))
        with connections(url, 30) as later:
            assert set(later) == held_by(other, url)
        unfinished.send(b"}")
        assert unfinished.getresponse().status == 422
        assert told.wait(60) is None


def test_at_sighup_every_worker_is_replaced_and_nobody_is_refused(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(**settings) as (url, started):
        before = set(workers_of(started))
        started.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)).close()
            return not before & set(workers_of(started))

        wait(replaced)
        assert len(workers_of(started)) == 2


def test_workers_share_a_socket_where_connections_are_not_spread(
    checkpoint: Path, runtime: Runtime, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(program=SHARING, **settings) as (url, started):
        for child in workers_of(started):
            child.kill()
            assert comparable(answer(url, prefix="import nu")) == reference(runtime, "import nu")


def test_a_worker_that_is_killed_is_replaced(checkpoint: Path, redis_url: str) -> None:
    with process(checkpoint=checkpoint, store=redis_url, workers=2) as (url, started):
        answer(url, session="s", prefix="abc")
        for child in workers_of(started):
            child.kill()
            child.wait()
            again = answer_when_back(url, session="s", prefix="abcd")
            assert again["usage"]["characters_absorbed"] <= 1


def test_a_worker_that_hangs_is_replaced_once_its_time_is_over(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(program=SHORT_HEALTH_CHECK, **settings) as (url, started):
        hanging, other = workers_of(started)
        hanging.suspend()
        # uvicorn's own limit is 5 seconds.
        ended, _ = psutil.wait_procs([hanging, other], timeout=6.5)
        assert not ended
        assert psutil.wait_procs([hanging], timeout=30)[0] == [hanging]
        assert other in workers_of(started)
        assert answer_when_back(url, prefix="abc")["length"] == 3


def starts(worker: psutil.Process) -> bool:
    """Whether the worker has run long enough to be asked, but has most likely not answered yet."""
    times = worker.cpu_times()
    return "spawn_main" in " ".join(worker.cmdline()) and times.user + times.system > 0.4


def test_a_worker_killed_during_its_health_check_does_not_delay_others(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(program=LONG_HEALTH_CHECK, **settings) as (url, started):
        supervisor = psutil.Process(started.pid)
        killed: set[int] = set()
        while len(killed) < 5:
            for child in supervisor.children():
                with suppress(psutil.NoSuchProcess):
                    if child.pid not in killed and starts(child):
                        killed.add(child.pid)
                        child.kill()
        assert answer_when_back(url, session="s", prefix="abc")["completion"]
