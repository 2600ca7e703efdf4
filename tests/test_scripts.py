"""The scripts that a newcomer runs, as they are run, with the shipped networks."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import httpx

README_BODY = re.compile(r"curl -s localhost:8000/complete .*? -d '(\{.*?\})'")
READY = re.compile(r"nextchar: ready on (http://127\.0\.0\.1:\d+) ")
SECONDS_TO_THE_FIRST_COMPLETION = 15


def test_the_one_command_serves_and_the_readme_s_request_is_completed(
    root: Path, tmp_path: Path
) -> None:
    body = README_BODY.search((root / "README.md").read_text(encoding="utf-8"))
    assert body is not None
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
    assert answer["completion"]


def test_an_install_that_is_there_is_not_made_again(root: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [root / "scripts/install"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout + result.stderr == ""
