"""The service as a process: its ready line, its one-line errors, and sessions after a restart."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from model.served import Runtime
from tests.service.clients import answer, connections
from tests.service.running import EAGER, comparable, one_error_line, process, reference

LONG_STREAM = {"prompt": "import ", "max_tokens": 1000, "n": 8, "logprobs": 5, "stream": True}
TEXT = ("for name in sorted(names):\n    print(name)\n" * 5)[:200]


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


def test_serving_needs_no_torch() -> None:
    program = "import sys, service.server; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"
