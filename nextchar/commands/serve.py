"""The verb `serve`: the HTTP service."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="A checkpoint to serve; repeatable. The first is the default."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The store of sessions: memory:// or redis://host:port/db."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes any.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="The number of processes.")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The code that computes; auto is the fastest here."),
    ] = None,
) -> None:
    """Serve completions over HTTP.

    Every option, and every other setting, can also be a variable of the environment, such as
    NEXTCHAR_STORE. An option wins over its variable.

    Example: nextchar serve --checkpoint checkpoints/python --store redis://localhost:6379/0
    """
    from service.server import serve as run
    from service.settings import load

    options = {
        "checkpoint": tuple(checkpoint) if checkpoint else None,
        "store": store,
        "host": host,
        "port": port,
        "workers": workers,
        "backend": backend,
    }
    run(load(**{name: value for name, value in options.items() if value is not None}))
