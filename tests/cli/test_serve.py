"""The verb serve: its options reach the service, whose answers are those of complete."""

import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.command import Command, Start

READY = re.compile(r"nextchar: ready on (http://127\.0\.0\.1:\d+) \(models: (.*); sessions: (.*)\)")


def ready(process: "subprocess.Popen[bytes]") -> tuple[str, str, str]:
    """The address, the models and the store that the ready line names."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = READY.match(line)
    assert found, line
    return found[1], found[2], found[3]


@pytest.mark.parametrize(("workers", "prefix"), [(1, "abc"), (2, "def é(x):\r\n    x€")])
def test_the_service_answers_as_complete_does(
    command: Command,
    start: Start,
    checkpoint: Path,
    redis_url: str,
    workers: int,
    prefix: str,
) -> None:
    arguments = ("--checkpoint", checkpoint, "--store", redis_url, "--workers", workers)
    process = start("serve", *arguments, "--port", 0)
    address, models, _ = ready(process)
    assert models == "tiny"
    body = {"prefix": prefix, "min_confidence": 0.01, "top": 3}
    answer = httpx.post(f"{address}/complete", json=body, timeout=30)
    assert answer.status_code == 200
    served = answer.json()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    alone = json.loads(
        command(
            "complete", "--checkpoint", checkpoint, "--min-confidence", 0.01, "--top", 3,
            stdin=prefix,
        ).out
    )  # fmt: skip
    assert alone["completion"]
    assert {name: served[name] for name in alone} == alone


def test_an_option_wins_over_the_environment(start: Start, checkpoint: Path) -> None:
    process = start(
        "serve", "--store", "memory://", "--port", 0,
        NEXTCHAR_CHECKPOINT=str(checkpoint), NEXTCHAR_STORE="redis://127.0.0.1:1/0",
        NEXTCHAR_PORT="1",
    )  # fmt: skip
    _, models, store = ready(process)
    assert (models, store) == ("tiny", "memory://")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def test_a_store_that_is_away_is_one_line_and_status_2(start: Start, checkpoint: Path) -> None:
    process = start("serve", "--checkpoint", checkpoint, NEXTCHAR_STORE="redis://127.0.0.1:1/0")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(b"nextchar: NEXTCHAR_STORE: redis://127.0.0.1:1/0")
    assert err.count(b"\n") == 1
