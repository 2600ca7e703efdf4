"""`DELETE /sessions/{session}`: deletes a session at its client's request."""

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Path

from service.http.own_errors import OWN_ERRORS
from service.http.schema import SESSION_PATTERN
from service.resources import TENANT, Resources


def add_routes(app: FastAPI, resources: Callable[[], Resources]) -> None:
    """Adds the route; `resources` returns the Resources, which exist once the app has started."""

    @app.delete(
        "/sessions/{session}",
        status_code=204,
        summary="Forget a session",
        responses=OWN_ERRORS.responses("invalid_request", "store_unavailable"),
    )
    async def delete(session: Annotated[str, Path(pattern=SESSION_PATTERN)]) -> None:
        """Nothing of the session is left; deleting what is not there is no error."""
        await resources().completions.delete(TENANT, session)
