"""What a session costs: going back, a key at the end of a long text, and memory.

    .venv/bin/python -m benchmarks.sessions --checkpoint checkpoints/python --json sessions.json

It starts a service of one process and measures over HTTP; sessions in Redis need a `redis-server`.
Times are in milliseconds: for a key the median of many, for going back a single one. Steps are
those that absorb text, without those that decode the suggestion.
"""

import asyncio
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.served import ROOT, service

LONG_CHARACTERS, SHORT_CHARACTERS = 100_000, 1_000
BACK_CHARACTERS = (1, 100, 10_000)
KEYS = 200
CHARACTERS_AN_EDIT = 25
SESSION_CHARACTERS = 1_100
CONNECTIONS = 64

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Back:
    """Going back some characters from the end of a text that was pasted or typed."""

    text: str
    characters: int
    milliseconds: float
    steps: int


@dataclass(frozen=True)
class SessionFigures:
    """All that was measured."""

    checkpoint: str
    key_milliseconds: dict[int, float]
    key_steps: dict[int, int]
    key_ratio: float
    backs: list[Back]
    sessions: int
    memory_megabytes_base: float
    memory_megabytes_over_base: float
    redis_bytes_a_session: float
    redis_megabytes: float


@app.command()
def measure(
    checkpoint: Annotated[Path, typer.Option(help="The checkpoint to serve.")] = (
        ROOT / "checkpoints/python"
    ),
    sessions: Annotated[int, typer.Option(help="How many sessions to open.")] = 10_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Writes the figures here; - for standard output.")
    ] = None,
) -> None:
    """Measures what sessions cost, in time and in memory."""
    with service(checkpoint, "memory://") as (url, _), httpx.Client(base_url=url) as http:
        text = _text(LONG_CHARACTERS + 2 * KEYS)
        keys = _keys(http, text, (SHORT_CHARACTERS, LONG_CHARACTERS))
        backs = [
            *(_back(http, text, "pasted", back) for back in BACK_CHARACTERS),
            *(_back(http, text, "typed", back) for back in BACK_CHARACTERS),
        ]
    with service(checkpoint, "memory://") as (url, process):
        asyncio.run(_open(url, 1))
        base = _resident_megabytes(process)
        asyncio.run(_open(url, sessions))
        over_base = _resident_megabytes(process) - base
    with _redis() as port, service(checkpoint, f"redis://127.0.0.1:{port}/0") as (url, _):
        asyncio.run(_open(url, sessions))
        with redis.Redis(port=port) as client:
            used = [client.memory_usage(key) or 0 for key in client.scan_iter(count=1000)]
    figures = SessionFigures(
        checkpoint=checkpoint.name,
        key_milliseconds={length: ms for length, (ms, _) in keys.items()},
        key_steps={length: steps for length, (_, steps) in keys.items()},
        key_ratio=keys[LONG_CHARACTERS][0] / keys[SHORT_CHARACTERS][0],
        backs=backs,
        sessions=sessions,
        memory_megabytes_base=base,
        memory_megabytes_over_base=over_base,
        redis_bytes_a_session=statistics.mean(used),
        redis_megabytes=sum(used) / 2**20,
    )
    _show(figures)
    if json_file is not None:
        said = json.dumps(asdict(figures), indent=2) + "\n"
        if str(json_file) == "-":
            sys.stdout.write(said)
        else:
            json_file.write_text(said, "utf-8")


def _keys(http: httpx.Client, text: str, lengths: tuple[int, ...]) -> dict[int, tuple[float, int]]:
    """For each length, a key's median milliseconds after that many characters, and its most steps.

    Keys are sent as edits. The sessions take turns, so that other programs slow all of them alike.
    """
    answers = {n: _ask(http, session=f"keys-{n}", prefix=text[:n]) for n in lengths}
    times: dict[int, list[float]] = {n: [] for n in lengths}
    steps: dict[int, list[int]] = {n: [] for n in lengths}
    for typed in range(KEYS):
        for n in lengths:
            at = n + typed
            edit = {"version": answers[n]["version"], "keep": at, "append": text[at]}
            begun = time.perf_counter()
            answers[n] = _ask(http, session=f"keys-{n}", edit=edit)
            times[n].append(time.perf_counter() - begun)
            steps[n].append(answers[n]["usage"]["characters_absorbed"])
    return {n: (statistics.median(times[n]) * 1000, max(steps[n])) for n in lengths}


def _back(http: httpx.Client, text: str, how: str, back: int) -> Back:
    """Goes back from the end of a text, by `prefix`, because an edit does not reach that far."""
    session = f"{how}-{back}"
    end = LONG_CHARACTERS
    answer = _ask(http, session=session, prefix=text[:end] if how == "pasted" else "")
    if how == "typed":
        for at in range(0, end, CHARACTERS_AN_EDIT):
            edit = {
                "version": answer["version"],
                "keep": at,
                "append": text[at : at + CHARACTERS_AN_EDIT],
            }
            answer = _ask(http, session=session, edit=edit, max_chars=0)
    begun = time.perf_counter()
    answer = _ask(http, session=session, prefix=text[: end - back])
    seconds = time.perf_counter() - begun
    return Back(how, back, seconds * 1000, answer["usage"]["characters_absorbed"])


def _ask(http: httpx.Client, **body: Any) -> dict[str, Any]:
    response = http.post("/complete", json=body, timeout=60)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


async def _open(url: str, sessions: int) -> None:
    """Opens sessions, each with a text of its own."""
    text = _text(LONG_CHARACTERS)
    waiting = iter(range(sessions))
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http:

        async def some() -> None:
            for number in waiting:
                begin = random.Random(number).randrange(LONG_CHARACTERS - SESSION_CHARACTERS)
                body = {
                    "session": f"open-{number}",
                    "prefix": text[begin : begin + SESSION_CHARACTERS],
                }
                await _send(http, body)

        await asyncio.gather(*(some() for _ in range(CONNECTIONS)))


async def _send(http: httpx.AsyncClient, body: dict[str, str]) -> None:
    """Sends a request, and again if its connection was closed for being idle."""
    try:
        response = await http.post("/complete", json=body)
    except httpx.TransportError:
        response = await http.post("/complete", json=body)
    response.raise_for_status()


def _text(length: int) -> str:
    """This repository's own sources, repeated up to this length."""
    sources = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("service/*.py")))
    return (sources * (length // len(sources) + 1))[:length]


@contextmanager
def _redis() -> Iterator[int]:
    """The port of a redis-server that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise typer.BadParameter("redis-server is missing; scripts/install says how to install it")
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if "Ready to accept" in line:
                    break
            yield port
        finally:
            server.terminate()


def _resident_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _show(figures: SessionFigures) -> None:
    table = Table(title=f"Sessions, checkpoint {figures.checkpoint}")
    for column in ("what", "milliseconds", "steps"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for length, milliseconds in figures.key_milliseconds.items():
        table.add_row(
            f"a key after {length:,} characters",
            f"{milliseconds:.2f}",
            str(figures.key_steps[length]),
        )
    for back in figures.backs:
        table.add_row(
            f"back {back.characters:,} of {LONG_CHARACTERS:,}, {back.text}",
            f"{back.milliseconds:.1f}",
            f"{back.steps:,}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"a key after {LONG_CHARACTERS:,} characters costs {figures.key_ratio:.2f} times one after "
        f"{SHORT_CHARACTERS:,}; "
        f"{figures.sessions:,} sessions take {figures.memory_megabytes_over_base:.0f} MB over the "
        f"service's {figures.memory_megabytes_base:.0f} MB in memory://, and "
        f"{figures.redis_megabytes:.0f} MB in Redis "
        f"({figures.redis_bytes_a_session:,.0f} bytes a session)",
        highlight=False,
    )


if __name__ == "__main__":
    app()
