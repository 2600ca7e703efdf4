"""Runs the service: first checks everything that can go wrong, then hands over to uvicorn."""

import asyncio
import multiprocessing
import signal
import sys
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from service.errors import StartupError
from service.http.app import create_app
from service.http.connections import KEEP_ALIVE_SECONDS, ClientConnection
from service.models import Models
from service.resources import store_of
from service.settings import Settings
from service.sockets import claim, listen
from service.stores import StoreError, shown
from service.workers import Server, Workers

# A worker that has not answered for this long counts as dead. The time is long, because a worker
# does not answer while it loads its checkpoints, and a busy machine makes that slow.
HEALTH_CHECK_SECONDS = 60
# How long the store may take to answer when the service starts. This is longer than for a request,
# because the store may have just been started, too.
START_SECONDS = 5


def serve(settings: Settings) -> None:
    """Serves until it is told to stop; raises StartupError, one line, if it cannot start."""
    names = Models.load(settings.checkpoint, settings.backend).names
    asyncio.run(_reach_store(settings))
    opened = (listen if settings.workers == 1 else claim)(settings.host, settings.port)
    ready = (
        f"nextchar: ready on http://{_in_url(settings.host)}:{opened.getsockname()[1]} "
        f"(models: {', '.join(names)}; sessions: {shown(settings.store)})"
    )
    ready_reader, ready_writer = multiprocessing.Pipe(duplex=False)
    config = uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        workers=settings.workers,
        log_level=settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=HEALTH_CHECK_SECONDS,
        **connection_options(settings),
    )
    threading.Thread(
        target=_announce, args=(ready, ready_reader, settings.workers), daemon=True
    ).start()
    # At SIGTERM, uvicorn ends gracefully and then raises the signal once more. The default handler
    # would then kill the process, with a failure as its exit status. This handler raises
    # KeyboardInterrupt instead.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if settings.workers == 1:
            Server(config, ready_writer).run(sockets=[opened])
        else:
            _supervise(Workers(config, opened, ready_writer))
    except KeyboardInterrupt:
        # The signal asked the service to stop, and it has stopped.
        return
    finally:
        opened.close()


def connection_options(settings: Settings) -> dict[str, Any]:
    """uvicorn's settings for connections.

    A WebSocket's message over the limit is answered with an error, and one over twice the limit
    ends its connection with code 1009 (RFC 6455). A keystroke is too small to be worth compressing.
    """
    return {
        "http": ClientConnection,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "ws_max_size": 2 * settings.max_body_bytes,
        "ws_per_message_deflate": False,
    }


def _supervise(workers: Workers) -> None:
    workers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in workers.processes):
        raise StartupError("a worker could not start; the lines above say why")


def _announce(ready: str, ready_reader: Connection, workers: int) -> None:
    """Prints that the service is ready once every worker has reported that it is."""
    with ready_reader:
        for _ in range(workers):
            ready_reader.recv_bytes()
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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
