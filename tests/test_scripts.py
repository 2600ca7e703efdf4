"""The scripts that a newcomer runs, as they are run, with the shipped networks."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

README_BODY = re.compile(r"curl -s localhost:8000/complete .*? -d '(\{.*?\})'")
README_ANSWER = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
READY = re.compile(r"nextchar: ready on (http://127\.0\.0\.1:\d+) ")
SECONDS_TO_THE_FIRST_COMPLETION = 15
INSTALLED_BY = ["pyproject.toml", "setup.py", "requirements.lock"]
TOOLS = ["cat", "cksum", "dirname", "grep", "mktemp", "rm", "tail"]
SERVING = "-m pip install --disable-pip-version-check --no-input -c requirements.lock -e ."
EVERYTHING = f"{SERVING}[train,dev]"


@dataclass(frozen=True)
class Machine:
    """A checkout on a machine whose pip, apt-get and nextchar only note how they are called."""

    checkout: Path
    path: Path
    notes: Path

    def run(self, script: str, *arguments: str) -> list[str]:
        """What the script asks the others for, one line each."""
        self.notes.write_text("", encoding="utf-8")
        subprocess.run(
            [self.checkout / script, *arguments],
            env={"PATH": str(self.path)},
            capture_output=True,
            check=True,
        )
        return self.notes.read_text(encoding="utf-8").splitlines()

    def add(self, program: Path) -> None:
        """A program that notes how it was called."""
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >>"{self.notes}"\n', encoding="utf-8")
        program.chmod(0o755)


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    """A machine whose .venv has a pip and no packages."""
    made = Machine(tmp_path / "checkout", tmp_path / "bin", tmp_path / "notes")
    shutil.copytree(root / "scripts", made.checkout / "scripts")
    for source in [*map(root.joinpath, INSTALLED_BY), *root.glob("model/*/*.[ch]")]:
        copy = made.checkout / source.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    for program in ("python", "nextchar"):
        made.add(made.checkout / ".venv/bin" / program)
    for program in ("python3", "apt-get"):
        made.add(made.path / program)
    for tool in TOOLS:
        (made.path / tool).symlink_to(shutil.which(tool) or tool)
    # Nothing here takes time, so there is nothing to wait for.
    (made.path / "sleep").symlink_to(shutil.which("true") or "true")
    (made.path / "id").write_text("#!/bin/sh\necho 0\n", encoding="utf-8")
    (made.path / "id").chmod(0o755)
    return made


def installs(notes: Sequence[str]) -> list[str]:
    """What pip and apt-get were told to install."""
    return [note.partition(" ")[2] for note in notes if " install " in note]


def rounded(answer: Any) -> Any:
    """An answer as the README shows it, with three decimals."""
    return json.loads(json.dumps(answer), parse_float=lambda digits: round(float(digits), 3))


def test_the_one_command_serves_and_the_readme_s_request_gets_the_readme_s_answer(
    root: Path, tmp_path: Path
) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    body, shown = README_BODY.search(readme), README_ANSWER.search(readme)
    assert body is not None
    assert shown is not None
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NEXTCHAR_")}
    with subprocess.Popen(
        [root / "scripts/serve", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            assert service.stdout is not None
            ready = READY.match(service.stdout.readline())
            assert ready is not None
            start = time.monotonic()
            response = httpx.post(
                f"{ready[1]}/complete",
                content=body[1],
                headers={"content-type": "application/json"},
                timeout=SECONDS_TO_THE_FIRST_COMPLETION,
            )
            assert time.monotonic() - start < SECONDS_TO_THE_FIRST_COMPLETION
        finally:
            service.terminate()
    assert response.status_code == 200
    answer = response.json()
    assert answer["length"] == len(json.loads(body[1])["prefix"])
    assert answer["model"] == "python"
    expected = json.loads(shown[1].replace(", …", ""))
    answer["chars"] = answer["chars"][: len(expected["chars"])]
    assert rounded({name: answer[name] for name in expected}) == expected


@pytest.mark.parametrize("what", [[], ["everything"], ["serving"]])
def test_an_install_that_is_there_is_not_made_again(
    root: Path, tmp_path: Path, what: list[str]
) -> None:
    result = subprocess.run(
        [root / "scripts/install", *what], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout + result.stderr == ""


def test_serving_installs_the_base_packages_and_nothing_of_the_system(machine: Machine) -> None:
    notes = machine.run("scripts/serve", "--port", "0")
    assert installs(notes) == [SERVING]
    assert notes[-1] == "nextchar serve --port 0"
    assert machine.run("scripts/serve") == ["nextchar serve"]


def test_everything_is_added_to_what_serving_has_installed(machine: Machine) -> None:
    machine.run("scripts/install", "serving")
    system, python = installs(machine.run("scripts/install"))
    assert {"redis-server", "gcc", "qemu-user"} < set(system.split())
    assert python == EVERYTHING
    assert EVERYTHING not in installs(machine.run("scripts/install"))
    assert machine.run("scripts/install", "serving") == []


@pytest.mark.parametrize("changed", ["requirements.lock", "model/runtime/step.c"])
def test_an_install_is_made_again_when_its_sources_have_changed(
    machine: Machine, changed: str
) -> None:
    machine.run("scripts/install", "serving")
    with (machine.checkout / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert installs(machine.run("scripts/install", "serving")) == [SERVING]


def test_an_install_that_does_not_exist_is_refused(root: Path) -> None:
    result = subprocess.run(
        [root / "scripts/install", "training"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("nextchar: training cannot be installed")
