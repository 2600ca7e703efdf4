"""The benchmark of the runtime: one row for each implementation, in the form that is documented."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.runtime import multiply_adds, random_checkpoint
from model.runtime import backends
from model.served import Runtime

KEYS = {"backend", "cell", "layers", "hidden", "contexts", "batch", "microseconds_per_session_step"}


def test_it_writes_a_row_for_every_backend_and_peer(tmp_path: Path, root: Path) -> None:
    file = tmp_path / "figures.json"
    small = ["--cells", "gru", "--hidden", "32", "--batches", "1", "3", "--layers", "1", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.runtime", *small, "--rounds", "1", "--json", file],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    rows = figures["rows"]
    assert all(row.keys() >= KEYS | {"share_of_peak"} for row in rows)
    assert all(row["microseconds_per_session_step"] > 0 for row in rows)
    own, others = list(backends.available()), peers.available()
    for batch in (1, 3):
        for contexts, layers, expected in (
            (0, 1, own + others),
            (0, 2, own),
            (9, 1, own),
            (9, 2, own),
        ):
            shape = (contexts, layers, batch)
            found = [r for r in rows if (r["contexts"], r["layers"], r["batch"]) == shape]
            assert [row["backend"] for row in found] == expected
    assert [line["backend"] for line in figures["greedy"]] == own + own
    assert figures["threads"][0]["throughput_of_two"] > 0
    for name in own + others:
        assert name in done.stdout


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
@pytest.mark.parametrize("name", peers.available())
def test_a_peer_takes_the_same_step(name: str, cell: str) -> None:
    """It must do the same work to be compared: from the same ids it finds about the same."""
    checkpoint = random_checkpoint(cell, 1, 64)
    ids = np.arange(20)
    step = peers.step(name, checkpoint, ids)
    pool = Runtime(checkpoint).pool(20)
    slots = np.arange(20)
    for slot in range(20):
        pool.clear(slot)
    for _ in range(3):
        best, probability = step()
        pool.step(slots, ids)
    ours = pool.best(slots)
    np.testing.assert_allclose(probability, ours[1], rtol=0.1)
    assert (best == ours[0]).mean() > 0.8


def test_products_are_counted_once_each() -> None:
    assert multiply_adds(random_checkpoint("lstm", 1, 64)) == 4 * 64 * 64 + 256 * 64
    assert multiply_adds(random_checkpoint("gru", 2, 64)) == 3 * 3 * 64 * 64 + 256 * 64
    two = random_checkpoint("lstm", 1, 64, ("2", "word"))
    assert multiply_adds(two) == 4 * 64 * 64 + 256 * (64 + 2 * 32)
