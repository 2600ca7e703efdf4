"""Schemathesis checks that the service behaves as its OpenAPI description says."""

import subprocess
import sys
from pathlib import Path

from tests.service.running import process

SEED = "1"
EXAMPLES = "15"


def test_every_answer_is_as_described_and_none_is_a_fault(checkpoint: Path, tmp_path: Path) -> None:
    with process(checkpoint=checkpoint) as (url, _):
        checked = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                *("run", f"{url}/openapi.json", "--checks", "all", "--no-color"),
                *("--seed", SEED, "--max-examples", EXAMPLES),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Operations:       13 selected / 13 total" in checked.stdout
