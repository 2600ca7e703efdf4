"""How soon a stream's first characters come, and what a WebSocket saves.

    .venv/bin/python -m benchmarks.streaming --json streaming.json

It starts a service of one process and sends a typist's keystrokes, each an edit of one character:
as streams, as ordinary requests, and over a WebSocket. Streams that compute no step are sent as
well; they show what HTTP alone costs. The four kinds of request take turns. A step is one character
of a suggestion, computed in this process; its time is processor time.
"""

import json
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from websockets.sync.client import connect

from benchmarks.served import ROOT, service
from benchmarks.timing import best_seconds
from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime

TEXT = "".join(
    f"def name_{i}(self, value):\n    return self.total + value * {i}\n" for i in range(99)
)
OPENED_CHARACTERS = 1000

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class StreamingFigures:
    """All that was measured, in milliseconds.

    Times over HTTP are lower quartiles, because other programs use the machine, too. `steps_beyond`
    is how much longer the first event takes than HTTP alone, in steps. It is negative where the
    first event comes sooner, because it does not wait until the session is stored.
    """

    checkpoint: str
    keys: int
    step: float
    http: float
    first_event: float
    whole_stream: float
    whole_answer: float
    websocket: float
    steps_beyond: float


@app.command()
def measure(
    checkpoint: Annotated[Path, typer.Option(help="The checkpoint to serve.")] = (
        ROOT / "checkpoints/python"
    ),
    keys: Annotated[int, typer.Option(help="How many keystrokes.", min=2)] = 1000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Writes the figures here; - for standard output.")
    ] = None,
) -> None:
    """Measures streams over HTTP and requests over a WebSocket."""
    with service(checkpoint) as (url, _):
        times = _typed(url, keys)
    step = _step(checkpoint)
    lower = {name: statistics.quantiles(taken, n=4)[0] for name, taken in times.items()}
    figures = StreamingFigures(
        checkpoint=checkpoint.name,
        keys=keys,
        step=step,
        steps_beyond=(lower["first_event"] - lower["http"]) / step,
        **lower,
    )
    for name, value in asdict(figures).items():
        Console(stderr=True).print(f"{name}: {value}")
    if json_file is not None:
        said = json.dumps(asdict(figures), indent=2) + "\n"
        if str(json_file) == "-":
            sys.stdout.write(said)
        else:
            json_file.write_text(said, "utf-8")


def _typed(url: str, keys: int) -> dict[str, list[float]]:
    """The milliseconds of each key, sent in each way."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    times: dict[str, list[float]] = {
        name: [] for name in ("http", "first_event", "whole_stream", "whole_answer", "websocket")
    }
    place = (address.hostname, address.port)
    with socket.create_connection(place) as http, connect(f"ws://{address.netloc}/ws") as ws:
        http.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        versions: dict[str, int] = {}
        for name in ("http", "stream", "answer", "websocket"):
            begun = {"session": name, "prefix": TEXT[:OPENED_CHARACTERS]}
            versions[name] = _answer(_post(http, begun)[0])["version"]
        for number in range(keys):
            at = OPENED_CHARACTERS + number % (len(TEXT) - OPENED_CHARACTERS - 1)
            if at == OPENED_CHARACTERS:
                for name in versions:
                    begun = {"session": name, "prefix": TEXT[:OPENED_CHARACTERS]}
                    versions[name] = _answer(_post(http, begun)[0])["version"]

            def edit(name: str, at: int = at) -> dict[str, Any]:
                change = {"version": versions[name], "keep": at, "append": TEXT[at]}
                return {"session": name, "edit": change, "trigger": "manual"}

            body, first, whole = _post(http, edit("stream") | {"stream": True})
            versions["stream"] = _answer(body)["version"]
            times["first_event"].append(first)
            times["whole_stream"].append(whole)
            body, _, whole = _post(http, edit("answer"))
            versions["answer"] = _answer(body)["version"]
            times["whole_answer"].append(whole)
            nothing = {"version": versions["http"], "keep": OPENED_CHARACTERS, "append": ""}
            asked = {"session": "http", "edit": nothing, "max_chars": 0, "stream": True}
            body, first, _ = _post(http, asked)
            assert _answer(body)["usage"]["steps_computed"] == 0
            times["http"].append(first)
            sent = time.perf_counter()
            ws.send(json.dumps(edit("websocket") | {"id": number}))
            said = ws.recv()
            times["websocket"].append((time.perf_counter() - sent) * 1000)
            versions["websocket"] = json.loads(said)["version"]
    return times


def _post(http: socket.socket, body: dict[str, Any]) -> tuple[str, float, float]:
    """The response, and after how many milliseconds its data began and ended."""
    sent = json.dumps(body).encode()
    head = (
        "POST /complete HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n"
    )
    begun = time.perf_counter()
    http.sendall(head.encode() + sent)
    received, first = b"", 0.0
    ended: Callable[[bytes], bool] = _whole
    while not ended(received):
        received += http.recv(65_536)
        if not first and (b"data: " in received or b'{"' in received):
            first = time.perf_counter() - begun
    whole = time.perf_counter() - begun
    return received.decode(), first * 1000, whole * 1000


def _whole(received: bytes) -> bool:
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    if b"transfer-encoding: chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return len(body) >= length


def _answer(received: str) -> dict[str, Any]:
    """The answer in a response, which is the last object of a stream."""
    line = next(line for line in reversed(received.splitlines()) if '"version"' in line)
    answer: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return answer


def _step(checkpoint: Path) -> float:
    """The milliseconds that one character of a suggestion takes in this process."""
    runtime = Runtime(load(checkpoint))

    def suggest(characters: int) -> int:
        options = Options(
            max_chars=characters, max_lines=100, indent=0, trigger="manual", by_value=False
        )
        return len(complete(runtime, TEXT[:OPENED_CHARACTERS], options).completion.text)

    calls = {count: partial(suggest, count) for count in (1, 21)}
    steps = suggest(21) - suggest(1)
    seconds = best_seconds(calls, rounds=20)
    return (seconds[21] - seconds[1]) / steps * 1000


if __name__ == "__main__":
    app()
