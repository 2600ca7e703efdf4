"""The routes about the process itself: its models, whether it lives, and whether it is ready."""

from collections.abc import Callable

from fastapi import FastAPI

from service.errors import NotReady, StoreUnavailable
from service.http.own_errors import OWN_ERRORS
from service.http.schema import ModelEntry, ModelList, Status
from service.resources import Resources
from service.stores import StoreError


def add_routes(app: FastAPI, resources: Callable[[], Resources]) -> None:
    """Adds the routes; `resources` returns the Resources, which exist once the app has started."""

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
        responses=OWN_ERRORS.responses("not_ready", "store_unavailable"),
    )
    async def readyz() -> Status:
        """The checkpoints are loaded, the scheduler runs, and the store takes writes."""
        require_scheduler(resources())
        try:
            await resources().store.ping()
        except StoreError as error:
            raise StoreUnavailable(
                "the sessions' store does not answer, or refuses writes"
            ) from error
        return Status(status="ok")


def require_scheduler(resources: Resources) -> None:
    """Raises NotReady if the scheduler's thread has ended."""
    if not resources.scheduler.alive:
        raise NotReady("the scheduler's thread has ended; restart the service")
