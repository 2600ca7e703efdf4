"""The command: one run over texts with the networks and the peers that are there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import save_tiny_checkpoint

SMALL = ["--sets", "prose", "--characters", "60:80", "--bits", "100"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    save_tiny_checkpoint(folder)
    return folder


@pytest.fixture(scope="module")
def prose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prose")
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(f"{name} is the number of this text. " * 4)
    (folder / "short.txt").write_text("too short to be typed in")
    return folder


def run(root: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", *map(str, arguments)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_measures_and_writes_all_that_is_there(
    root: Path, tmp_path: Path, checkpoint: Path, prose: Path
) -> None:
    file, picture = tmp_path / "figures.json", tmp_path / "figures.png"
    texts = ["--prose", prose, "--checkpoint", f"prose={checkpoint}", "--plain", checkpoint]
    wanted = ["--only", "network,lstm,ppmd", "--json", file, "--picture", picture]
    done = run(root, *SMALL, *texts, *wanted)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    rows = {one["row"]["system"]: one["row"] for one in figures["rows"]}
    assert set(rows) == {"plain LSTM", "network, alone", "network, by value", "PPMd order 16"}
    assert rows["network, alone"]["bits_per_character"] > 0
    assert rows["network, alone"]["shown"]["typist"]["characters"] == 2 * 20
    assert len(rows["network, alone"]["shown"]["saved"]) == 2
    assert rows["network, alone"]["state_bytes"] > 0
    assert rows["PPMd order 16"]["bits_per_character"] > 0
    assert rows["PPMd order 16"]["shown"] is None
    assert picture.read_bytes().startswith(b"\x89PNG")
    for system in rows:
        assert system in done.stdout


def test_the_peers_of_an_earlier_run_are_taken_over(
    root: Path, tmp_path: Path, checkpoint: Path, prose: Path
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    same = [*SMALL, "--prose", prose, "--checkpoint", checkpoint, "--only", "ppmd"]
    assert run(root, *same, "--json", first).returncode == 0
    figures = json.loads(first.read_text())
    figures["rows"][0]["row"]["bits_per_character"] = 123.0
    first.write_text(json.dumps(figures))
    assert run(root, *same, "--json", second, "--reuse", first).returncode == 0
    assert json.loads(second.read_text()) == figures
    other = run(root, *same, "--bits", "90", "--reuse", first)
    assert other.returncode == 2
    assert "first.json" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--characters", "80"], "--characters 80"),
        (["--characters", "80:60"], "80"),
        (["--sets", "poems"], "poems"),
        (["--checkpoint", "poems=x"], "'poems' is no set"),
        (["--checkpoint", "nowhere"], "nowhere"),
    ],
)
def test_a_users_mistake_is_named(root: Path, prose: Path, arguments: list[str], said: str) -> None:
    done = run(root, *SMALL, "--prose", prose, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_set_that_is_not_there_is_left_out_with_a_word(
    root: Path, tmp_path: Path, checkpoint: Path
) -> None:
    done = run(root, *SMALL, "--prose", tmp_path / "none", "--checkpoint", checkpoint)
    assert done.returncode == 0
    assert "left out" in done.stderr
