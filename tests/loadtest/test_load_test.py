"""A whole load test on a small scale: servers, client, figures, plot, and nothing left running."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from loadtest.figures import LoadFigures
from tests.tiny import save_tiny_checkpoint


def load_test(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest", *options]
    patient = os.environ | {"NEXTCHAR_STORE_TIMEOUT_SECONDS": "5"}
    return subprocess.run(
        command, cwd=root, env=patient, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("client", ["http", "websocket", "locust"])
def test_typists_type_without_errors_and_nothing_is_left_running(
    root: Path, tmp_path: Path, client: str
) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    out, file = tmp_path / "out", tmp_path / "figures.json"
    options = ["--typists", "5", "--minutes", "0.1", "--checkpoint", str(checkpoint)]
    options += ["--workers", "2", "--client", client]
    result = load_test(root, *options, "--out", str(out), "--json", str(file))
    assert result.returncode == 0, result.stdout + result.stderr

    figures = LoadFigures.model_validate_json(file.read_text(encoding="utf-8"))
    assert figures.store == "redis"
    assert figures.errors == {}
    assert [step.typists for step in figures.steps] == [1, 2, 3, 5]
    assert figures.opening.requests >= 5
    assert figures.total.requests > 5
    assert figures.total.delay.p99 is not None
    assert figures.service.peak_megabytes > 10
    assert len(figures.service.worker_cores) == 2
    assert 0 < sum(figures.service.worker_cores) <= figures.service.cores
    assert "all steps" in result.stdout
    assert "cores of each worker" in result.stdout

    [folder] = out.iterdir()
    assert (folder / "delay.png").read_bytes().startswith(b"\x89PNG")
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(folder) in str(p.info)]
    ready = re.search(r"http://127\.0\.0\.1:(\d+)", (folder / "service.log").read_text())
    assert ready
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(ready[1]))) != 0


def test_figures_go_to_standard_output_alone(root: Path, tmp_path: Path) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    options = ["--typists", "1", "--minutes", "0.05", "--store", "memory", "--json", "-"]
    options += ["--checkpoint", str(checkpoint), "--out", str(tmp_path)]
    result = load_test(root, *options)
    assert result.returncode == 0, result.stderr
    figures = LoadFigures.model_validate_json(result.stdout)
    assert figures.store == "memory"
    assert len(figures.service.worker_cores) == 1


def test_ended_early_it_stops_what_it_started(root: Path, tmp_path: Path) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    command = [sys.executable, "-m", "loadtest", "--typists", "5", "--minutes", "5"]
    command += ["--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as process:
        family: list[psutil.Process] = []
        deadline = time.monotonic() + 60
        while len(family) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
    # In a container without an init process, a grandchild whose parent has ended stays a zombie.
    _, left = psutil.wait_procs(family, timeout=20)
    assert [p.cmdline() for p in left if p.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--text", "empty"], "no text to type"),
        (["--checkpoint", "empty", "--store", "memory"], "service ended"),
        (["--store", "nowhere://x"], "service ended"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    root: Path, tmp_path: Path, options: list[str], complaint: str
) -> None:
    (tmp_path / "empty").mkdir()
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    given = [o if o != "empty" else str(tmp_path / "empty") for o in options]
    if "--checkpoint" not in given:
        given += ["--checkpoint", str(checkpoint)]
    result = load_test(root, *given, "--out", str(tmp_path / "out"))
    assert result.returncode == 2, result.stdout + result.stderr
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
