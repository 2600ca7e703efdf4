"""The command: starts the servers, lets typists type, reports, and stops the servers."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.errors import LoadTestError
from loadtest.figures import LoadFigures, ProcessUsage, compute
from loadtest.plan import LoadPlan
from loadtest.recording import Recording
from loadtest.report import print_table, save_plot
from loadtest.servers import last_line, running, running_redis, running_service
from loadtest.texts import load_texts
from loadtest.usage import UsageMeter

ROOT = Path(__file__).parents[1]
# With this value of --store, the load test starts a Redis itself.
OWN_REDIS = "redis"
# How long the typists may run beyond the planned time before the test fails.
GRACE_SECONDS = 60
MEASURE_EVERY_SECONDS = 0.5

console = Console()


class TypistClient(StrEnum):
    """What the typists are made of."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    LOCUST = "locust"


def load_test(
    typists: Annotated[int, typer.Option(min=1, max=10_000, help="How many type at the end.")] = 50,
    minutes: Annotated[float, typer.Option(min=0.05, max=60, help="How long, all steps.")] = 2.0,
    store: Annotated[
        str, typer.Option(help="`redis` starts one of our own; or `memory`, or a redis:// address.")
    ] = OWN_REDIS,
    text: Annotated[
        Path | None,
        typer.Option(exists=True, help="A file or folder to type; else Python's own library."),
    ] = None,
    checkpoint: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The checkpoint to serve.")
    ] = ROOT / "checkpoints" / "python",
    client: Annotated[
        TypistClient, typer.Option(help="How the typists ask; the first two cost the client least.")
    ] = TypistClient.HTTP,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the service.")] = 1,
    seed: Annotated[int, typer.Option(help="Chooses the passages and the moments.")] = 0,
    json: Annotated[
        str | None, typer.Option(help="Where to write the figures; `-` for standard output.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Where the plot and the logs go, in a folder of their own.")
    ] = ROOT / "runs" / "loadtest",
) -> None:
    """Lets simulated typists use a service that is started for them.

    Example: scripts/loadtest --typists 50 --minutes 2
    """
    plan = LoadPlan(typists=typists, seconds=60 * minutes, seed=seed, text=text and text.resolve())
    folder = out.resolve() / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S-%f")
    notes = Console(stderr=True) if json == "-" else console
    try:
        load_texts(plan.text)
        folder.mkdir(parents=True)
        figures = run(plan, client, store, checkpoint.resolve(), workers, folder)
    except (LoadTestError, OSError) as error:
        Console(stderr=True).print(
            f"loadtest: {error}", highlight=False, markup=False, soft_wrap=True
        )
        raise typer.Exit(2) from None
    print_table(figures, notes)
    save_plot(figures, folder / "delay.png")
    notes.print(f"plot, figures and logs: {folder}", highlight=False, soft_wrap=True)
    written = figures.model_dump_json(indent=2) + "\n"
    (folder / "figures.json").write_text(written, encoding="utf-8")
    if json == "-":
        sys.stdout.write(written)
    elif json is not None:
        Path(json).write_text(written, encoding="utf-8")
    if figures.total.errors + figures.opening.errors:
        raise typer.Exit(1)


def run(
    plan: LoadPlan, client: TypistClient, store: str, checkpoint: Path, workers: int, folder: Path
) -> LoadFigures:
    """Starts a service, runs the plan against it, and returns what was measured.

    Raises LoadTestError when a server or the client does not start, or ends too early.
    """
    with ExitStack() as servers:
        if store == OWN_REDIS:
            address = servers.enter_context(running_redis(folder))
        else:
            address = "memory://" if store == "memory" else store
        url, pid = servers.enter_context(running_service(checkpoint, address, workers, folder))
        recording, usage = _type(plan, client, url, UsageMeter(pid), folder)
    kind = address.partition("://")[0]
    return compute(plan, recording, usage, store=kind, checkpoint=checkpoint.name)


def _type(
    plan: LoadPlan, client: TypistClient, url: str, meter: UsageMeter, folder: Path
) -> tuple[Recording, ProcessUsage]:
    """Runs the plan in the client to its end, and shows the progress; raises LoadTestError."""
    script, seen, log = folder / "plan.json", folder / "recording.json", folder / f"{client}.log"
    script.write_text(plan.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m"]
    if client is TypistClient.LOCUST:
        command += ["locust", "--locustfile", str(ROOT / "loadtest/scenario.py"), "--headless"]
        command += ["--only-summary", "--host", url, "--stop-timeout", "5"]
    else:
        command += ["loadtest.lean", "--url", url, "--protocol", client]
    command += ["--plan", str(script), "--recording", str(seen)]
    usage = meter.measure()
    with running(command, log) as process, _progress(plan) as show:
        begin = time.monotonic()
        while process.poll() is None:
            elapsed = time.monotonic() - begin
            if elapsed > plan.seconds + GRACE_SECONDS:
                raise LoadTestError(f"the client did not end: {last_line(log)}")
            usage = meter.measure()
            show(elapsed)
            time.sleep(MEASURE_EVERY_SECONDS)
    if not seen.exists():
        raise LoadTestError(f"the client saw nothing: {last_line(log)}")
    return Recording.model_validate_json(seen.read_text(encoding="utf-8")), usage


@contextmanager
def _progress(plan: LoadPlan) -> Iterator[Callable[[float], None]]:
    """A progress bar that shows how many typists type; gives a function to update it."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("starting", total=plan.seconds)

        def show(elapsed: float) -> None:
            step = plan.step_at(elapsed)
            many = "ending" if step is None else f"{plan.steps[step]} typists"
            bar.update(task, completed=elapsed, description=many)

        yield show


def main() -> None:
    """Runs the command; at SIGTERM, as at Ctrl-C, it stops the processes that it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    typer.run(load_test)
