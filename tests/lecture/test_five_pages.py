"""The five pages: their quoted lines are in the files, and their examples and commands run."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/recurrent-network.md"
BLOCK = re.compile(r"(?:^<!-- (\S+) -->\n\n)?^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [match.groups() for match in BLOCK.finditer(PAGE.read_text("utf-8"))]
QUOTED = [(file, code) for file, _, code in BLOCKS if file]
EXAMPLES = "".join(code for file, kind, code in BLOCKS if kind == "python" and not file)
SHELL = "".join(code for _, kind, code in BLOCKS if kind == "sh")
COMMANDS = SHELL.replace("\\\n", "").splitlines()
PARTS_OF_THE_MODEL = (
    "vocabulary", "cells", "network", "config", "checkpoint", "sampling", "generating", "decoder",
    "completing", "runtime",
)  # fmt: skip


@pytest.mark.parametrize(("file", "code"), QUOTED)
def test_quoted_lines_stand_in_the_file(file: str, code: str, root: Path) -> None:
    assert code in (root / file).read_text("utf-8")


def test_the_equations_of_all_three_cells_are_beside_their_lines() -> None:
    quoted = "".join(code for file, code in QUOTED if file == "model/network/cells.py")
    text = PAGE.read_text("utf-8")
    for equation, line in (
        ("h_t = tanh(U x_t + W h_{t-1} + b)", "torch.tanh(projected + h @ self.W.t())"),
        ("h' = (1 − z) ⊙ n + z ⊙ h", "(1 - z) * n + z * h"),
        ("c' = f ⊙ c + i ⊙ g", "torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)"),
        ("h' = o ⊙ tanh(c')", "torch.sigmoid(o) * torch.tanh(c)"),
    ):
        assert equation in text
        assert line in quoted


def test_the_pages_walk_through_the_model_file_by_file() -> None:
    headings = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(headings) == 5
    assert all(f"`{part}" in " ".join(headings) for part in PARTS_OF_THE_MODEL)


def test_the_examples_run_from_top_to_bottom(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    exec(compile(textwrap.dedent(EXAMPLES), PAGE.name, "exec"), {})  # noqa: S102


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the repository; the commands write into it instead."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in PAGE.parents[1].iterdir():
        if entry.name != "runs":
            (folder / entry.name).symlink_to(entry)
    return folder


def test_the_commands_work_as_they_stand(clone: Path) -> None:
    assert len(COMMANDS) >= 6
    for command in COMMANDS:
        done = subprocess.run(
            command, shell=True, cwd=clone, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if " generate h " in command:
            assert done.stdout == "hello\n"
    assert (clone / "runs/hello/unrolled.png").is_file()
    assert (clone / "runs/units.png").is_file()
