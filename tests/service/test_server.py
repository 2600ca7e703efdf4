"""The service as a process: its ready line, its one line for a mistake, and Redis over restarts."""

import errno
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from model.served import Runtime
from service.errors import StartupError
from service.sockets import claim, listen, of_worker
from tests.service.running import EAGER, comparable, one_error_line, process, reference


def changed(change: str) -> tuple[str, ...]:
    """The program with something of it changed."""
    begin = "import sys, service.server, service.sockets"
    return ("-c", f"{begin}; {change}; from nextchar.cli import main; sys.exit(main())")


# As where the system does not spread connections over the sockets of one port.
SHARING = changed("service.sockets.SPREADS = False")
# A supervisor that waits for the answer of a dead worker does so for longer than a test may take.
PATIENT = changed("service.server.HEALTH_CHECK_SECONDS = 3600")
IMPATIENT = changed("service.server.HEALTH_CHECK_SECONDS = 10")
LONG_STREAM = {"prompt": "import ", "max_tokens": 1000, "n": 8, "logprobs": 5, "stream": True}
TEXT = ("for name in sorted(names):\n    print(name)\n" * 5)[:200]


def answer(url: str, **body: Any) -> dict[str, Any]:
    response = httpx.post(f"{url}/complete", json=EAGER | body, timeout=240)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def answer_when_back(url: str, **body: Any) -> dict[str, Any]:
    """The answer once some worker listens."""
    port = urlsplit(url).port or 0

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait(listens)
    return answer(url, **body)


def wait(condition: Callable[[], bool]) -> None:
    """Returns once it holds, which other processes bring about within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"


def workers_of(started: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The worker processes, without the one that multiprocessing keeps beside them."""
    return [child for child in psutil.Process(started.pid).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "spawn_main" in " ".join(process.cmdline())
    return False


@contextmanager
def connections(url: str, many: int) -> Iterator[dict[int, HTTPConnection]]:
    """Open connections, each of which has been answered, by their own port."""
    address = urlsplit(url)
    with ExitStack() as stack:
        opened = {}
        for _ in range(many):
            connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
            stack.enter_context(closing(connection))
            assert lives(connection)
            opened[connection.sock.getsockname()[1]] = connection
        yield opened


def lives(connection: HTTPConnection) -> bool:
    """Whether the worker at the other end answers."""
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()
    return response.status == 200


def held_by(worker: psutil.Process, url: str) -> set[int]:
    """The clients' ports of the connections that a worker has."""
    return {
        connection.raddr.port
        for connection in worker.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED
        and connection.laddr.port == urlsplit(url).port
    }


def listening_on(url: str) -> int:
    """How many sockets listen on the address's port."""
    port = f":{urlsplit(url).port or 0:04X}"
    tables = [Path(f"/proc/net/{name}").read_text().splitlines() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table]
    return sum(own.endswith(port) and state == "0A" for _, own, _, state, *_ in sockets)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_when_it_says_so_and_ends_without_a_word_when_told_to(
    checkpoint: Path, runtime: Runtime, redis_url: str, workers: int, told: signal.Signals
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": workers}
    with process(**settings) as (url, started):
        assert comparable(answer(url, prefix="import nu")) == reference(runtime, "import nu")
        started.send_signal(told)
        out, err = started.communicate(timeout=60)
        assert (out, err, started.returncode) == ("", "", 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_in_time_whatever_is_still_open(
    checkpoint: Path, redis_url: str, workers: int
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": workers}
    with (
        process(**settings, shutdown_seconds=1) as (url, started),
        connections(url, 5) as opened,
        connect(f"{url.replace('http', 'ws')}/ws") as websocket,
    ):
        websocket.send('{"id": 1, "prefix": "a"}')
        websocket.recv()
        half, unread, *_ = opened.values()
        half.putrequest("POST", "/complete")
        half.putheader("Content-Length", "2")
        half.endheaders(b"{")
        unread.request("POST", "/v1/completions", json.dumps(LONG_STREAM))
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0


def test_no_word_that_was_typed_is_in_its_output_at_any_level(checkpoint: Path) -> None:
    with process(checkpoint=checkpoint, log_level="debug") as (url, started):
        answer(url, prefix="my secret password", suffix="secretly", session="s")
        httpx.post(f"{url}/complete", json={"prefix": "secret", "stop": 5})
        httpx.post(f"{url}/complete", content=b'{"prefix": "secret"')
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
        assert "secret" not in out + err


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("as_edit", [False, True])
def test_200_characters_are_typed_with_the_service_killed_half_way(
    checkpoint: Path, runtime: Runtime, redis_url: str, as_edit: bool, workers: int
) -> None:
    last: dict[str, Any] = {}
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": workers}
    for begin, end in ((0, 100), (100, 200)):
        with process(**settings) as (url, started), httpx.Client(base_url=url) as http:
            for length in range(begin, end):
                body: dict[str, Any] = {"prefix": TEXT[: length + 1]}
                if as_edit and length:
                    edit = {"version": last["version"], "keep": length, "append": TEXT[length]}
                    body = {"edit": edit}
                reply = http.post("/complete", json=EAGER | {"session": "s"} | body)
                assert reply.status_code == 200, reply.text
                last = reply.json()
                assert last["usage"]["characters_absorbed"] == 1
                if length % 9 == 0 or length in (99, 100, 199):
                    assert comparable(last) == reference(runtime, TEXT[: length + 1])
            started.kill()


def test_a_missing_checkpoint_is_one_line(tmp_path: Path) -> None:
    status, said = one_error_line(checkpoint=tmp_path / "nowhere")
    assert status == 2
    assert said == f"nextchar: {tmp_path / 'nowhere'}: no such checkpoint folder\n"


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_checkpoint_is_one_line(
    checkpoint: Path, other_checkpoint: Path, tmp_path: Path, file: str
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for source in checkpoint.iterdir():
        content = source.read_bytes()
        (damaged / source.name).write_bytes(content[:-100] if source.name == file else content)
    status, said = one_error_line(checkpoint=f"{other_checkpoint},{damaged}")
    assert status == 2
    assert said.count("\n") == 1
    assert said.startswith(f"nextchar: {damaged / file}: damaged: ")


def test_two_checkpoints_of_one_name_are_one_line(checkpoint: Path) -> None:
    status, said = one_error_line(checkpoint=f"{checkpoint},{checkpoint}")
    assert status == 2
    assert said.startswith("nextchar: two checkpoints are named tiny")
    assert said.count("\n") == 1


def test_a_port_in_use_is_one_line(checkpoint: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = one_error_line(checkpoint=checkpoint, port=port)
    assert status == 2
    assert said.startswith(f"nextchar: cannot listen on 127.0.0.1, port {port}: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_its_owner_would_share_is_in_use_all_the_same(
    checkpoint: Path, redis_url: str, host: str
) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
        status, said = one_error_line(host=host, port=port, **settings)
    assert status == 2
    assert said.startswith(f"nextchar: cannot listen on {host}, port {port}: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_a_claimed_port_is_nobody_elses_and_takes_no_connection_itself(host: str) -> None:
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
                # Who closes first leaves its address to a connection that is over.
                accepted.close()
                assert client.recv(1) == b""
    with claim(host, port), pytest.raises(StartupError):
        listen(host, port)
    listen(host, port).close()


def test_an_address_of_another_machine_is_one_line(checkpoint: Path) -> None:
    status, said = one_error_line(checkpoint=checkpoint, host="192.0.2.1", port=0)
    assert status == 2
    assert said.startswith("nextchar: cannot listen on 192.0.2.1, port 0: ")
    assert said.count("\n") == 1


def test_a_redis_that_is_not_there_is_one_line_without_the_password(checkpoint: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = f"redis://user:secret@127.0.0.1:{port}/0"
    status, said = one_error_line(checkpoint=checkpoint, store=store)
    assert status == 2
    assert said.startswith(f"nextchar: NEXTCHAR_STORE: redis://127.0.0.1:{port}/0 does not answer")
    assert said.count("\n") == 1
    assert "secret" not in said


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"port": "http"}, "NEXTCHAR_PORT"),
        ({"port": 70_000}, "NEXTCHAR_PORT"),
        ({"store": "postgres://user:secret@host/db"}, "NEXTCHAR_STORE"),
        ({"store": "redis://host:port/0"}, "NEXTCHAR_STORE"),
        ({"workers": 2}, "NEXTCHAR_WORKERS"),
        ({"log_level": "loud"}, "NEXTCHAR_LOG_LEVEL"),
        ({"session_ttl_seconds": 0}, "NEXTCHAR_SESSION_TTL_SECONDS"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(
    checkpoint: Path, settings: dict[str, Any], name: str
) -> None:
    status, said = one_error_line(checkpoint=checkpoint, **settings)
    assert status == 2
    assert said.startswith(f"nextchar: {name}: ")
    assert said.count("\n") == 1
    assert "secret" not in said


def test_a_misspelt_setting_is_told_once(checkpoint: Path, redis_url: str) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(**settings, queue_limits=5) as (_, started):
        started.send_signal(signal.SIGTERM)
        _, err = started.communicate(timeout=60)
    assert err == (
        "nextchar: NEXTCHAR_QUEUE_LIMITS is no setting and changes nothing, "
        "did you mean NEXTCHAR_QUEUE_LIMIT?\n"
    )


def test_a_connection_that_asks_nothing_takes_no_place_in_the_queue(checkpoint: Path) -> None:
    with process(checkpoint=checkpoint, queue_limit=1) as (url, _), connections(url, 20):
        assert answer(url, prefix="abc")["length"] == 3


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


def test_a_worker_that_is_killed_takes_its_own_connections_alone(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 3}
    with process(**settings) as (url, started), connections(url, 30) as opened:
        killed, *others = workers_of(started)
        kept = set().union(*(held_by(worker, url) for worker in others))
        assert 0 < len(kept) < 30
        killed.kill()
        killed.wait()
        # No connection waits on the socket of the dead.
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


def test_a_worker_that_is_held_up_is_given_time_and_replaced_when_it_is_over(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(program=IMPATIENT, **settings) as (url, started):
        hanging, other = workers_of(started)
        hanging.suspend()
        # uvicorn by itself gives a worker 5 seconds.
        ended, _ = psutil.wait_procs([hanging, other], timeout=6.5)
        assert not ended
        assert psutil.wait_procs([hanging], timeout=30)[0] == [hanging]
        assert other in workers_of(started)
        assert answer_when_back(url, prefix="abc")["length"] == 3


def test_a_worker_killed_as_it_is_asked_whether_it_is_well_holds_nobody_up(
    checkpoint: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"checkpoint": checkpoint, "store": redis_url, "workers": 2}
    with process(program=PATIENT, **settings) as (url, started):
        supervisor = psutil.Process(started.pid)
        killed: set[int] = set()
        while len(killed) < 5:
            for child in supervisor.children():
                with suppress(psutil.NoSuchProcess):
                    if child.pid not in killed and starts(child):
                        killed.add(child.pid)
                        child.kill()
        assert answer_when_back(url, session="s", prefix="abc")["completion"]


def starts(worker: psutil.Process) -> bool:
    """Whether it has worked for so long that it was asked, and has most likely not yet answered."""
    times = worker.cpu_times()
    return "spawn_main" in " ".join(worker.cmdline()) and times.user + times.system > 0.4


def test_serving_needs_no_torch() -> None:
    program = "import sys, service.server; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"
