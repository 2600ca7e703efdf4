"""Runs a benchmark as a person would."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def figures_of(benchmark: str, root: Path, checkpoint: Path, *options: str) -> Any:
    """What a benchmark of `benchmarks/` writes as JSON about a checkpoint."""
    measured = subprocess.run(
        [
            *(sys.executable, "-m", f"benchmarks.{benchmark}", "--checkpoint", checkpoint),
            *("--json", "-", *options),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert measured.returncode == 0, measured.stderr
    return json.loads(measured.stdout)
