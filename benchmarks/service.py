"""What a keystroke costs the service: processor milliseconds, beside an endpoint that does nothing.

    .venv/bin/python -m benchmarks.service --json service.json

It starts a service of one worker with sessions in a Redis of its own. Sessions type real code, one
character a request, each as soon as the last answer is there; this process is the client. What a
request costs is the processor time of the service, from the system's own count; Redis's is given
apart. The endpoint that does nothing runs in the same framework, and is measured in the same run.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor
from benchmarks.served import ROOT, program, service
from loadtest.connections import HttpConnection, TypistConnection, WebSocketConnection
from loadtest.servers import running_redis
from loadtest.texts import Passage, choose_passage, load_texts

SESSIONS = (1, 32, 128)

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class KeyFigures:
    """What a key cost in milliseconds of processor time, with so many sessions at once.

    `times_nothing` is the service's cost in units of the endpoint that does nothing.
    """

    protocol: str
    sessions: int
    suggestion: bool
    keys: int
    service: float
    redis: float
    nothing: float
    times_nothing: float
    keys_per_second_and_core: float
    resident_megabytes: float


class Typing:
    """A session that types a passage, one character a request."""

    def __init__(
        self, connection: TypistConnection, name: str, passage: Passage, more: dict[str, Any]
    ) -> None:
        self._connection = connection
        self._name = name
        self._text = passage.text
        self._at = passage.opened
        self._more = more
        self._version = 0
        self.keys = 0

    async def open(self) -> None:
        """Sends the text that is there already."""
        self._take(await self._connection.ask(self._body({"prefix": self._text[: self._at]})))

    async def type(self, seconds: float) -> None:
        """Types for so long, or until the passage ends."""
        end = perf_counter() + seconds
        while perf_counter() < end and self._at < len(self._text):
            edit = {"version": self._version, "keep": self._at, "append": self._text[self._at]}
            self._at += 1
            self._take(await self._connection.ask(self._body({"edit": edit})))
            self.keys += 1

    def _body(self, change: dict[str, Any]) -> dict[str, Any]:
        return {"session": self._name} | change | self._more

    def _take(self, reply: Any) -> None:
        if reply.status != 200:
            raise RuntimeError(f"the service answered {reply.status}: {reply.body}")
        self._version = reply.body["version"]


class Asking:
    """Asks the endpoint that does nothing, over and over."""

    def __init__(self, connection: TypistConnection, body: dict[str, Any]) -> None:
        self._connection = connection
        self._body = body
        self.keys = 0

    async def open(self) -> None:
        """Asks once."""
        await self._connection.ask(self._body)

    async def type(self, seconds: float) -> None:
        """Asks for so long."""
        end = perf_counter() + seconds
        while perf_counter() < end:
            await self._connection.ask(self._body)
            self.keys += 1


@app.command()
def measure(
    checkpoint: Annotated[Path, typer.Option(help="The checkpoint to serve.")] = (
        ROOT / "checkpoints/python"
    ),
    seconds: Annotated[
        float,
        typer.Option(help="How long each measurement takes, after a fifth to warm up.", min=0.1),
    ] = 5,
    sessions: Annotated[
        list[int] | None, typer.Option(help="How many type at once; may be repeated.", min=1)
    ] = None,
    store: Annotated[str, typer.Option(help="redis or memory.")] = "redis",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Writes the figures here; - for standard output.")
    ] = None,
) -> None:
    """Measures what a keystroke costs over HTTP and over a WebSocket."""
    figures = []
    with servers(checkpoint, store) as (nothing, served, redis):
        for protocol in ("http", "websocket"):
            for count in sessions or SESSIONS:
                base, _, _ = asyncio.run(_asked(nothing, protocol, count, seconds))
                for suggestion in (True, False):
                    typed = _typed(served, redis, protocol, count, suggestion, seconds, base)
                    figures.append(asyncio.run(typed))
    _show(figures)
    if json_file is not None:
        said = {"processor": processor(), "store": store, "keys": [asdict(f) for f in figures]}
        text = json.dumps(said, indent=2) + "\n"
        if str(json_file) == "-":
            sys.stdout.write(text)
        else:
            json_file.write_text(text, "utf-8")


Place = tuple[str, psutil.Process]


@contextmanager
def servers(checkpoint: Path, store: str) -> Iterator[tuple[Place, Place, psutil.Process | None]]:
    """The endpoint that does nothing, the service, and its Redis."""
    with (
        TemporaryDirectory() as folder,
        program("-m", "benchmarks.nothing") as (nothing, nothing_pid),
    ):
        idle = nothing, psutil.Process(nothing_pid)
        if store == "memory":
            with service(checkpoint) as (url, pid):
                yield idle, (url, psutil.Process(pid)), None
            return
        with running_redis(Path(folder)) as address, service(checkpoint, address) as (url, pid):
            port = address.rpartition(":")[2].partition("/")[0]
            (redis,) = (
                each
                for each in psutil.Process().children(recursive=True)
                if each.name() == "redis-server" and port in " ".join(each.cmdline())
            )
            yield idle, (url, psutil.Process(pid)), redis


async def _connections(url: str, protocol: str, path: str, count: int) -> list[TypistConnection]:
    if protocol == "http":
        return [HttpConnection(url, path) for _ in range(count)]
    return [await WebSocketConnection.open(url, path) for _ in range(count)]


async def _asked(
    nothing: Place, protocol: str, sessions: int, seconds: float
) -> tuple[float, float, int]:
    url, process = nothing
    body = {"session": "s" * 16, "edit": {"version": 2**52, "keep": 1000, "append": "a"}}
    connections = await _connections(url, protocol, "/nothing", sessions)
    typists = [Asking(connection, body) for connection in connections]
    return await _measured(typists, connections, process, None, seconds)


async def _typed(
    served: Place,
    redis: psutil.Process | None,
    protocol: str,
    sessions: int,
    suggestion: bool,
    seconds: float,
    nothing: float,
) -> KeyFigures:
    url, process = served
    random, texts = Random(sessions), load_texts(None)
    path = "/complete" if protocol == "http" else "/ws"
    connections = await _connections(url, protocol, path, sessions)
    more = {} if suggestion else {"max_chars": 0}
    name = f"{protocol}-{sessions}-{suggestion}"
    typists = [
        Typing(connection, f"{name}-{number}", choose_passage(texts, random), more)
        for number, connection in enumerate(connections)
    ]
    cost, redis_cost, keys = await _measured(typists, connections, process, redis, seconds)
    return KeyFigures(
        protocol=protocol,
        sessions=sessions,
        suggestion=suggestion,
        keys=keys,
        service=cost,
        redis=redis_cost,
        nothing=nothing,
        times_nothing=cost / nothing,
        keys_per_second_and_core=1000 / cost,
        resident_megabytes=process.memory_info().rss / 1e6,
    )


async def _measured(
    typists: list[Any],
    connections: list[TypistConnection],
    process: psutil.Process,
    redis: psutil.Process | None,
    seconds: float,
) -> tuple[float, float, int]:
    """The milliseconds of the server and of Redis for each key, and how many keys there were."""
    await asyncio.gather(*(typist.open() for typist in typists))
    await asyncio.gather(*(typist.type(seconds / 5) for typist in typists))
    typed = sum(typist.keys for typist in typists)
    before, redis_before = _used(process), _used(redis)
    await asyncio.gather(*(typist.type(seconds) for typist in typists))
    keys = sum(typist.keys for typist in typists) - typed
    used, redis_used = _used(process) - before, _used(redis) - redis_before
    for connection in connections:
        connection.close()
    return 1000 * used / keys, 1000 * redis_used / keys, keys


def _used(process: psutil.Process | None) -> float:
    """The seconds of processor time that a process and its children have used."""
    if process is None:
        return 0.0
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def _show(figures: list[KeyFigures]) -> None:
    table = Table(title="processor milliseconds a key")
    for name in ("", "sessions", "suggestion", "service", "redis", "nothing", "times", "keys"):
        table.add_column(name, justify="left" if not name else "right")
    for each in figures:
        table.add_row(
            each.protocol,
            str(each.sessions),
            "yes" if each.suggestion else "no",
            f"{each.service:.3f}",
            f"{each.redis:.3f}",
            f"{each.nothing:.3f}",
            f"{each.times_nothing:.1f}",
            str(each.keys),
        )
    Console(stderr=True).print(table)


if __name__ == "__main__":
    app()
