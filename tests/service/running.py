"""A running service: in this process for speed, or in its own process for signals and sockets."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import uvicorn

from model.completing import complete
from model.decoding.options import Options
from model.served import Runtime
from service.http.app import create_app
from service.resources import Resources
from service.server import connection_options
from service.settings import load

ROOT = Path(__file__).parents[2]
# With these options the tiny network suggests something everywhere.
EAGER = {"min_confidence": 0.0}
# A timeout in seconds for the store. It is so long that a running Redis never counts as away.
PATIENT = 5


@dataclass
class Service:
    """The application, a client for it, and its resources."""

    http: httpx.AsyncClient
    resources: Resources

    @property
    def taken(self) -> int:
        """How many jobs are being computed."""
        return self.resources.scheduler.taken

    async def complete(self, **body: Any) -> dict[str, Any]:
        """The answer to a request that must succeed."""
        response = await self.http.post("/complete", json=EAGER | body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def refused(self, **body: Any) -> tuple[int, dict[str, Any]]:
        """The status and error of a request that must fail."""
        response = await self.http.post("/complete", json=EAGER | body)
        assert response.status_code >= 400, response.text
        return response.status_code, response.json()["error"]


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Service]:
    """The service in this process; the options are settings."""
    app = create_app(load(**options))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as http,
    ):
        yield Service(http, app.state.resources)


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Service]:
    """The service behind a real socket, in this process."""
    settings = load(**options)
    app = create_app(settings)
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=1, **connection_options(settings)
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        async with httpx.AsyncClient(base_url=url) as http:
            yield Service(http, app.state.resources)
        server.should_exit = True
        await serving


def reference(runtime: Runtime, prefix: str, top: int = 0, **options: Any) -> dict[str, Any]:
    """The answer of a fresh computation of the whole text, in the form of the service."""
    answer = complete(runtime, prefix, Options(**(EAGER | options)), top)
    completion = answer.completion
    return {
        "length": len(prefix),
        "completion": completion.text,
        "confidence": completion.confidence,
        "chars": [{"text": c.text, "probability": c.probability} for c in completion.chars],
        "alternatives": [
            {"completion": other.text, "confidence": other.confidence}
            for other in answer.alternatives
        ],
        "next": [{"character": c, "probability": p} for c, p in answer.next],
        "finish_reason": completion.finish_reason,
        "model": runtime.checkpoint.name,
    }


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the fields that depend on the session."""
    apart = ("session", "version", "usage", "degraded")
    return {name: value for name, value in answer.items() if name not in apart}


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Returns once the condition holds; other tasks and threads of this process make it hold."""
    deadline = asyncio.get_running_loop().time() + seconds
    for _ in iter(condition, True):
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.001)


def environment(**settings: Any) -> dict[str, str]:
    """The environment for a new process, with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXTCHAR_")}
    return kept | {f"NEXTCHAR_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def process(
    log: IO[str] | None = None, program: tuple[str, ...] = ("-m", "nextchar"), **settings: Any
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The service as a process on a free port; gives its address and the process once it is ready.

    Its standard error goes to `log`, if given.
    """
    started = subprocess.Popen(
        [sys.executable, *program, "serve"],
        cwd=ROOT,
        env=environment(**({"port": 0, "store_timeout_seconds": PATIENT} | settings)),
        stdout=subprocess.PIPE,
        stderr=log or subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    try:
        line = started.stdout.readline()
        found = re.match(r"nextchar: ready on (http://\S+) \(models: .+; sessions: .+\)\n", line)
        assert found, line + (started.stderr.read() if started.stderr else "")
        yield found[1], started
    finally:
        started.kill()
        started.communicate()


def one_error_line(**settings: Any) -> tuple[int, str]:
    """The exit status and standard error of a service that must not start."""
    ended = subprocess.run(
        [sys.executable, "-m", "nextchar", "serve"],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr
