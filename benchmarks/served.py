"""Programs that answer over HTTP, for what is measured there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

ROOT = Path(__file__).parents[1]


@contextmanager
def service(checkpoint: Path, store: str = "memory://") -> Iterator[tuple[str, int]]:
    """Starts a service of one worker; gives its address and its process id."""
    settings = {"CHECKPOINT": str(checkpoint), "STORE": store, "PORT": "0"}
    with program("-m", "nextchar", "serve", **settings) as started:
        yield started


@contextmanager
def program(*arguments: str, **settings: str) -> Iterator[tuple[str, int]]:
    """Starts a program that says where it is ready; gives its address and its process id."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXTCHAR_")}
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=kept | {f"NEXTCHAR_{name}": value for name, value in settings.items()},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if "ready on " not in ready:
                raise typer.BadParameter(f"{' '.join(arguments)} did not start")
            yield ready.split("ready on ")[1].split()[0], process.pid
        finally:
            process.terminate()
