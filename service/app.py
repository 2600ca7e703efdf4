"""The HTTP application: its routes, and what they stand on while it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated

from fastapi import FastAPI, Path, Request

from service import error_format
from service.body_limit import BodyLimit
from service.clients import unless_gone
from service.complete import complete
from service.completions import Completions
from service.copies import Copies
from service.errors import NotReady, StartupError, StoreUnavailable
from service.faults import Faults
from service.models import Models
from service.scheduler import Scheduler
from service.schema import (
    SESSION_PATTERN,
    CompleteRequest,
    CompleteResponse,
    ModelEntry,
    ModelList,
    Status,
)
from service.sealing import Plain, Seal, Sealed, keys_of
from service.settings import Settings
from service.stores import (
    BatchedStore,
    Store,
    StoreError,
    open_store,
    scheme_of,
    shown,
)

# Without access keys, everybody is this one tenant.
TENANT = "default"
# Where a session was deleted through another worker, this one's copy is gone after this.
LONGEST_COPY_SECONDS = 600
SWEEP_SECONDS = 30
# A request waits for the store this many times as long as one call may take, trying again and all.
PATIENCE = 1.6

DESCRIPTION = """Text autocompletion by a character-level recurrent network.

`POST /complete` takes one keystroke: the whole text before the cursor as `prefix`, or a change of
the text held at a `version` as `edit`. Positions count Unicode code points. Every error has the
same form, `{"error": {"code", "message", "field"?}}`, with one of these codes:

"""


class Parts:
    """What the routes stand on: the models, the sessions' store, and the thread that computes."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError for a checkpoint or an address that cannot be used."""
        self.models = Models.load(settings.checkpoint, settings.backend)
        self.store = BatchedStore(
            store_of(settings), patience_seconds=PATIENCE * settings.store_timeout_seconds
        )
        self.scheduler = Scheduler(
            self.models.runtimes,
            batch_limit=settings.batch_limit,
            queue_limit=settings.queue_limit,
            kept_predictions=settings.kept_predictions,
            kept_seconds=LONGEST_COPY_SECONDS,
        )
        in_memory = scheme_of(settings.store) == "memory://"
        self.copies = Copies(
            0 if in_memory else settings.kept_predictions,
            min(settings.session_ttl_seconds, LONGEST_COPY_SECONDS),
        )
        self.completions = Completions(
            self.models,
            self.store,
            self.copies,
            seal_of(settings),
            self.scheduler,
            settings.max_prefix_characters,
        )

    async def sweep(self) -> None:
        """Lets go, for as long as it runs, what a worker has kept of sessions for long enough."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.copies.expire()
            await self.scheduler.expire()

    async def close(self) -> None:
        """Ends the thread and gives back the store's connections."""
        await self.scheduler.stop()
        await self.store.close()


def create_app(settings: Settings, started: Callable[[], None] | None = None) -> FastAPI:
    """The application; it loads its checkpoints when it starts up, and then calls `started`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = await asyncio.to_thread(Parts, settings)
        parts.scheduler.start()
        sweeping = asyncio.create_task(parts.sweep())
        app.state.parts = parts
        if started is not None:
            started()
        yield
        sweeping.cancel()
        await parts.close()

    app = FastAPI(
        title="nextchar",
        version=version("nextchar"),
        description=DESCRIPTION + error_format.table(),
        lifespan=lifespan,
        # The pages that show the description load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # Editors often send no Content-Type at all.
        strict_content_type=False,
    )
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Faults)
    error_format.install(app)
    _add_routes(app)
    return app


def store_of(settings: Settings) -> Store:
    """The store that the settings name; raises StartupError for an address that is none."""
    try:
        return open_store(
            settings.store,
            ttl_seconds=settings.session_ttl_seconds,
            max_sessions=settings.max_sessions,
            timeout_seconds=settings.store_timeout_seconds,
            connections=settings.store_connections,
        )
    except ValueError as error:
        raise StartupError(f"NEXTCHAR_STORE: {shown(settings.store)} is refused: {error}") from None


def seal_of(settings: Settings) -> Seal:
    """How the settings say that records are kept in the store."""
    key = settings.session_key
    return Plain() if key is None else Sealed(keys_of(key.get_secret_value()))


def _add_routes(app: FastAPI) -> None:
    def parts() -> Parts:
        found: Parts = app.state.parts
        return found

    @app.post(
        "/complete",
        summary="Complete the text before the cursor",
        responses=error_format.responses(
            "/complete",
            "invalid_json",
            "unknown_model",
            "resync",
            "superseded",
            "too_large",
            "unsupported_media_type",
            "invalid_request",
            "not_supported",
            "overloaded",
            "store_unavailable",
        ),
    )
    async def post_complete(body: CompleteRequest, request: Request) -> CompleteResponse:
        """One request a keystroke; a newer one of the same session ends the older."""
        return await unless_gone(request, complete(parts().completions, TENANT, body))

    @app.delete(
        "/sessions/{session}",
        status_code=204,
        summary="Forget a session",
        responses=error_format.responses("/sessions", "invalid_request", "store_unavailable"),
    )
    async def delete(session: Annotated[str, Path(pattern=SESSION_PATTERN)]) -> None:
        """Nothing of the session is left; deleting what is not there is no error."""
        await parts().completions.delete(TENANT, session)

    @app.get("/models", summary="List the loaded models")
    async def models() -> ModelList:
        """The first one answers requests that name none."""
        runtimes = parts().models.runtimes
        return ModelList(
            models=tuple(
                ModelEntry(name=r.checkpoint.name, fingerprint=r.fingerprint, default=i == 0)
                for i, r in enumerate(runtimes)
            )
        )

    @app.get("/livez", summary="Whether the process lives")
    async def livez() -> Status:
        """Answers as long as the event loop turns."""
        return Status(status="ok")

    @app.get(
        "/readyz",
        summary="Whether completions can be answered in full",
        responses=error_format.responses("/readyz", "not_ready", "store_unavailable"),
    )
    async def readyz() -> Status:
        """The checkpoints are loaded, the scheduler runs, and the store answers."""
        if not parts().scheduler.alive:
            raise NotReady("the scheduler's thread has ended; restart the service")
        try:
            await parts().store.ping()
        except StoreError as error:
            raise StoreUnavailable("the sessions' store does not answer") from error
        return Status(status="ok")
