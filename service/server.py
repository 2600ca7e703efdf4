"""Runs the service: checks everything that can be wrong first, then hands over to uvicorn."""

import asyncio
import multiprocessing
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from service.app import create_app
from service.errors import StartupError
from service.models import Models
from service.parts import store_of
from service.settings import Settings
from service.stores import StoreError, shown
from service.workers import Workers

BACKLOG = 2048
# A worker that loads its checkpoints on a busy machine must not count as dead.
HEALTH_CHECK_SECONDS = 60
# As long as a store that is there may take to answer when the service starts beside it.
START_SECONDS = 5


def serve(settings: Settings) -> None:
    """Serves until it is told to stop; raises StartupError, one line, if it cannot begin."""
    names = Models.load(settings.checkpoint, settings.backend).names
    asyncio.run(_reach_store(settings))
    listener = _listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    ready = (
        f"nextchar: ready on http://{_in_url(settings.host)}:{port} "
        f"(models: {', '.join(names)}; sessions: {shown(settings.store)})"
    )
    hearing, telling = multiprocessing.Pipe(duplex=False)
    config = uvicorn.Config(
        partial(_application, settings, partial(_tell, telling)),
        factory=True,
        workers=settings.workers,
        log_level=settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=HEALTH_CHECK_SECONDS,
        **websocket_options(settings),
    )
    threading.Thread(target=_announce, args=(ready, hearing, settings.workers), daemon=True).start()
    try:
        if settings.workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            _supervise(config, listener)
    except KeyboardInterrupt:
        # Ctrl-C was the wish to stop, and the service has stopped.
        return
    finally:
        listener.close()


def websocket_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told of WebSockets.

    A message over the limit is answered with an error, and one over twice the limit ends its
    connection with code 1009 (RFC 6455). A keystroke is too small to be worth compressing.
    """
    return {"ws_max_size": 2 * settings.max_body_bytes, "ws_per_message_deflate": False}


def _application(settings: Settings, started: Callable[[], None]) -> FastAPI:
    """The application of one process; a worker whose parent is killed ends, and frees the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    return create_app(settings, started)


def _tell(telling: Connection) -> None:
    # A parent that was killed meanwhile hears nothing, and this process ends by itself.
    with suppress(BrokenPipeError):
        telling.send_bytes(b"ready")


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    signal.raise_signal(signal.SIGTERM)


def _supervise(config: uvicorn.Config, listener: socket.socket) -> None:
    supervisor = Workers(config, sockets=[listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise StartupError("a worker could not start; the lines above say why")


def _announce(ready: str, hearing: Connection, workers: int) -> None:
    """Says that the service is ready once each worker has told so; all share the open socket."""
    for _ in range(workers):
        hearing.recv_bytes()
    sys.stdout.write(f"{ready}\n")
    sys.stdout.flush()


async def _reach_store(settings: Settings) -> None:
    store = store_of(settings.model_copy(update={"store_timeout_seconds": START_SECONDS}))
    try:
        await store.ping()
    except StoreError as error:
        raise StartupError(
            f"NEXTCHAR_STORE: {shown(settings.store)} does not answer ({error}); "
            "start it, or name another store"
        ) from None
    finally:
        await store.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {host}, port {port}: {error.strerror}; "
            "stop what listens there, or set NEXTCHAR_HOST or NEXTCHAR_PORT"
        ) from None
    listener.set_inheritable(True)
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
