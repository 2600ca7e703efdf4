"""The HTTP application: its routes, and what it does when it starts and ends."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, WebSocket

from service.completions import OnChars
from service.errors import NotReady, StoreUnavailable
from service.http import error_format
from service.http.body_limit import BodyLimit
from service.http.complete import STREAM, complete, events
from service.http.disconnect import unless_gone
from service.http.faults import Faults
from service.http.protocols import infill, openai
from service.http.schema import (
    SESSION_PATTERN,
    CompleteRequest,
    CompleteResponse,
    ModelEntry,
    ModelList,
    Status,
)
from service.http.streaming import EventStream, Stream, streams
from service.http.websocket import PATH as WEBSOCKET_PATH
from service.http.websocket import Connection
from service.resources import TENANT, Resources
from service.settings import Settings
from service.stores import StoreError

DESCRIPTION = """Text autocompletion by a character-level recurrent network.

`POST /complete` takes one keystroke: the whole text before the cursor as `prefix`, or a change of
the text held at a `version` as `edit`. Positions count Unicode code points. Every error has the
same form, `{"error": {"code", "message", "field"?}}`, with one of these codes:

"""


def create_app(settings: Settings) -> FastAPI:
    """The application; it loads its checkpoints when it starts up."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        resources = await asyncio.to_thread(Resources, settings)
        resources.scheduler.start()
        sweeping = asyncio.create_task(resources.sweep())
        app.state.resources = resources
        yield
        sweeping.cancel()
        await resources.close()

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
    _add_routes(app, settings)
    for protocol in (infill, openai):
        app.include_router(protocol.routes(lambda: app.state.resources))
    return app


def _add_routes(app: FastAPI, settings: Settings) -> None:
    def resources() -> Resources:
        found: Resources = app.state.resources
        return found

    @app.post(
        "/complete",
        summary="Complete the text before the cursor",
        response_model=CompleteResponse,
        responses=streams(STREAM)
        | error_format.responses(
            "/complete",
            "invalid_json",
            "unknown_model",
            "resync",
            "superseded",
            "too_large",
            "unsupported_media_type",
            "invalid_request",
            "overloaded",
            "store_unavailable",
        ),
    )
    async def post_complete(body: CompleteRequest, request: Request) -> Any:
        """One request a keystroke; a newer one of the same session ends the older.

        With `stream` the answer is server-sent events: `characters` as they become certain, then
        the `completion`, or an `error` where something went wrong after the first characters.
        """

        def work(on_chars: OnChars | None) -> Coroutine[None, None, CompleteResponse]:
            return complete(resources().completions, TENANT, body, on_chars)

        if not body.stream:
            return await unless_gone(request, work(None))
        stream = Stream(work)
        return EventStream(stream, events(stream))

    @app.websocket(WEBSOCKET_PATH)
    async def websocket(websocket: WebSocket) -> None:
        """The same requests as messages."""
        limit = settings.max_body_bytes
        await Connection(websocket, resources().completions, TENANT, limit).serve()

    @app.delete(
        "/sessions/{session}",
        status_code=204,
        summary="Forget a session",
        responses=error_format.responses("/sessions", "invalid_request", "store_unavailable"),
    )
    async def delete(session: Annotated[str, Path(pattern=SESSION_PATTERN)]) -> None:
        """Nothing of the session is left; deleting what is not there is no error."""
        await resources().completions.delete(TENANT, session)

    @app.get("/models", summary="List the loaded models")
    async def models() -> ModelList:
        """The first one answers requests that name none."""
        runtimes = resources().models.runtimes
        return ModelList(
            models=tuple(
                ModelEntry(
                    name=r.checkpoint.name,
                    fingerprint=r.fingerprint,
                    default=i == 0,
                    adapts=r.adaptation is not None,
                )
                for i, r in enumerate(runtimes)
            )
        )

    @app.head("/livez", include_in_schema=False)
    @app.get("/livez", summary="Whether the process lives")
    async def livez() -> Status:
        """Answers as long as the event loop turns."""
        return Status(status="ok")

    @app.head("/readyz", include_in_schema=False)
    @app.get(
        "/readyz",
        summary="Whether completions can be answered in full",
        responses=error_format.responses("/readyz", "not_ready", "store_unavailable"),
    )
    async def readyz() -> Status:
        """The checkpoints are loaded, the scheduler runs, and the store takes writes."""
        if not resources().scheduler.alive:
            raise NotReady("the scheduler's thread has ended; restart the service")
        try:
            await resources().store.ping()
        except StoreError as error:
            raise StoreUnavailable(
                "the sessions' store does not answer, or refuses writes"
            ) from error
        return Status(status="ok")
