"""The HTTP application: its parts, and what it does when it starts and ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from service.http import complete, error_format, own_errors, sessions, status, websocket
from service.http.body_limit import BodyLimit
from service.http.error_format import ErrorFormats, Faults
from service.http.own_errors import OWN_ERRORS
from service.http.protocols import infill, openai, openai_tokens
from service.http.protocols.infill_errors import LLAMA_CPP_ERRORS
from service.http.protocols.openai_errors import OPENAI_ERRORS
from service.http.protocols.request_id import RequestId
from service.resources import Resources
from service.settings import Settings

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
        description=DESCRIPTION + own_errors.table(),
        lifespan=lifespan,
        # FastAPI's pages for the description would load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        # Editors often send no Content-Type at all.
        strict_content_type=False,
    )

    def resources() -> Resources:
        found: Resources = app.state.resources
        return found

    formats = ErrorFormats(OWN_ERRORS, (LLAMA_CPP_ERRORS, OPENAI_ERRORS))
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, formats=formats)
    app.add_middleware(Faults, formats=formats)
    app.add_middleware(RequestId)
    error_format.install(app, formats)
    # The modules add their routes to the application itself. A request to an included router would
    # be matched twice, which takes about 20 microseconds for each keystroke.
    complete.add_routes(app, resources)
    websocket.add_routes(app, resources, settings.max_body_bytes)
    sessions.add_routes(app, resources)
    status.add_routes(app, resources)
    infill.add_routes(app, resources)
    openai.add_routes(app, resources)
    openai_tokens.add_routes(app)
    return app
