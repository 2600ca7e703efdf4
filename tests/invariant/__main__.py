"""scripts/soak: injects faults for a given time while typists type, and reports what it found."""

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from model.checkpoint import load
from model.errors import CheckpointError
from tests.invariant.machine import Invariant, run_invariant, together
from tests.invariant.recorded import RecordedKey, read, replay
from tests.invariant.stage import Stage
from tests.invariant.typist import Mismatch, RandomTypist, SoakTally
from tests.tiny import save_primed_checkpoint, save_tiny_checkpoint

STEPS = 60
# Several, since the first example of a run is the plainest: one rule over and over.
EXAMPLES = 12
NOTE_EVERY_SECONDS = 60

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class SoakReport:
    """What a soak found."""

    checkpoint: str
    minutes: float
    steps: int
    answers_compared: int
    faults_injected: int
    faults: dict[str, int]
    mismatches: int
    server_errors: int
    texts_sent_again: int
    replies: dict[str, int]
    resident_megabytes: tuple[float, ...]


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(help="How long.", min=0.01)] = 30,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint's folder; a tiny random network when absent.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Instead, replays the recorded typing in this folder (*.json.gz)."),
    ] = None,
    patches: Annotated[int, typer.Option(help="How many patches of each recording.")] = 20_000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Writes the figures here; - for standard output.")
    ] = None,
) -> None:
    """Types, races, cancels, kills, restarts, flushes and swaps, and compares every answer.

    Each answer of a service of two workers on a Redis of its own is compared, bit for bit, with
    what this process computes from the whole text. Ends with status 1 after a mismatch.

    Example: scripts/soak --minutes 30 --json soak.json
    """
    try:
        if checkpoint is not None:
            load(checkpoint)
    except CheckpointError as error:
        sys.stderr.write(f"soak: --checkpoint: {error}\n")
        raise typer.Exit(2) from None
    if recordings is not None and not any(recordings.glob("*.json.gz")):
        sys.stderr.write(f"soak: --recordings: {recordings} holds no *.json.gz\n")
        raise typer.Exit(2)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tiny = [save_primed_checkpoint(folder / "adapting"), save_tiny_checkpoint(folder / "tiny")]
        checkpoints = tiny if checkpoint is None else [checkpoint, tiny[0]]
        with Stage(folder, checkpoints) as stage:
            name = str(checkpoint or "tiny")
            if recordings is None:
                report = run(stage, minutes, name)
            else:
                report = play(stage, sorted(recordings.glob("*.json.gz")), patches, name)
    show(report)
    if json_file is not None:
        text = json.dumps(asdict(report), indent=2)
        if str(json_file) == "-":
            sys.stdout.write(f"{text}\n")
        else:
            json_file.write_text(f"{text}\n", "utf-8")
    raise typer.Exit(1 if report.mismatches else 0)


def run(stage: Stage, minutes: float, name: str) -> SoakReport:
    """Runs the state machine with new seeds until the time is up."""
    tally = Invariant.tally = SoakTally()
    Invariant.stage = stage
    console = Console(stderr=True)
    begun = noted = time.monotonic()
    resident = [stage.resident_megabytes]
    while time.monotonic() - begun < minutes * 60:
        try:
            run_invariant(EXAMPLES, STEPS)
        except Mismatch as error:
            console.print(f"[red]mismatch[/red] {error}", soft_wrap=True, highlight=False)
        if time.monotonic() - noted >= NOTE_EVERY_SECONDS:
            noted = time.monotonic()
            resident.append(stage.resident_megabytes)
            console.print(
                f"{(noted - begun) / 60:5.1f} min  {tally.steps} steps  "
                f"{tally.faults.total()} faults  {tally.mismatches} mismatches",
                highlight=False,
            )
    return report_of(tally, name, begun, resident)


def play(stage: Stage, recordings: list[Path], patches: int, name: str) -> SoakReport:
    """Replays the recordings at the same time, each once as edits and once as whole texts."""
    tally = SoakTally()
    begun = time.monotonic()
    resident = [stage.resident_megabytes]

    async def one(name: str, keys: list[RecordedKey], as_edit: bool) -> None:
        typist = RandomTypist(stage, tally, f"{name}-{as_edit}")
        try:
            await replay(typist, keys, as_edit)
        except Mismatch as error:
            Console(stderr=True).print(f"[red]mismatch[/red] {error}"[:2000], highlight=False)
        await typist.close()

    # Read first: an event loop that reads files answers no request meanwhile.
    read_first = {path.stem: list(read(path, patches)) for path in recordings}
    stage.loop.run_until_complete(
        together(
            one(recorded, keys, as_edit)
            for recorded, keys in read_first.items()
            for as_edit in (False, True)
        )
    )
    tally.steps = sum(times for reply, times in tally.replies.items() if "answered" in reply)
    return report_of(tally, name, begun, [*resident, stage.resident_megabytes])


def report_of(tally: SoakTally, name: str, begun: float, resident: list[float]) -> SoakReport:
    """The report on everything since `begun`."""
    return SoakReport(
        checkpoint=name,
        minutes=round((time.monotonic() - begun) / 60, 2),
        steps=tally.steps,
        answers_compared=tally.compared,
        faults_injected=tally.faults.total(),
        faults=dict(sorted(tally.faults.items())),
        mismatches=tally.mismatches,
        server_errors=tally.server_errors,
        texts_sent_again=tally.restarted_texts,
        replies=dict(sorted(tally.replies.items())),
        resident_megabytes=tuple(round(each, 1) for each in resident),
    )


def show(report: SoakReport) -> None:
    """The report as a table."""
    table = Table(title=f"{report.minutes} minutes, checkpoint {report.checkpoint}")
    table.add_column("what")
    table.add_column("how often", justify="right")
    table.add_row("steps", str(report.steps))
    table.add_row("answers compared with a fresh computation", str(report.answers_compared))
    table.add_row("faults injected", str(report.faults_injected))
    for fault, times in report.faults.items():
        table.add_row(f"  {fault}", str(times))
    table.add_row("mismatches", str(report.mismatches))
    table.add_row("answers 5xx where none may be", str(report.server_errors))
    table.add_row("edits answered by sending the whole text", str(report.texts_sent_again))
    Console().print(table)


if __name__ == "__main__":
    app()
