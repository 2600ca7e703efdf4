"""Measures our suggestions and those of peers, on the same positions and in one run.

    .venv/bin/python -m benchmarks.quality --json quality.json --picture quality.png

The peers need the extra `bench`; what is missing is named, and the rest is measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from benchmarks.machine import processor
from benchmarks.quality import peers, report
from benchmarks.quality.jobs import (
    JobFigures,
    JobSettings,
    Measured,
    network_jobs,
    peer_jobs,
    peers_of,
    write,
)
from benchmarks.quality.missing import Missing
from benchmarks.quality.texts import (
    ROOT,
    SETS,
    Span,
    TextSet,
    folder,
    own_code,
    standard_library,
    text_set,
)
from model.decoding.options import Options
from model.errors import ModelError
from training.corpus import CorpusError

TEXTS = ROOT / "runs/texts"
CHECKPOINTS = (
    f"python,packages,newer={ROOT / 'checkpoints/python'}",
    f"prose={ROOT / 'checkpoints/prose'}",
)

app = typer.Typer(add_completion=False)
standard_error = Console(stderr=True)


@app.command()
def measure(
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SET,…=]DIR",
            help="A checkpoint, and for which sets; those in checkpoints/ by default.",
        ),
    ] = None,
    plain: Annotated[
        list[str] | None,
        typer.Option(metavar="[SET,…=]DIR", help="A plain LSTM of the same budget, to compare."),
    ] = None,
    packages: Annotated[
        Path, typer.Option(help="Code of packages that are held out whole.")
    ] = TEXTS / "packages/validation",
    prose: Annotated[Path, typer.Option(help="Held-out prose.")] = TEXTS / "prose/validation",
    sets: Annotated[str, typer.Option(help="Which sets.")] = ",".join(SETS),
    characters: Annotated[
        str, typer.Option(metavar="BEGIN:END", help="Which characters of each document are typed.")
    ] = "1500:1800",
    bits: Annotated[
        int, typer.Option(help="How many characters of each document bits are measured over.")
    ] = 8000,
    documents: Annotated[int, typer.Option(min=1, help="The most documents of a set.")] = 16,
    max_chars: Annotated[
        int, typer.Option(min=2, help="The longest suggestion.")
    ] = Options().max_chars,
    only: Annotated[
        str,
        typer.Option(
            help="Only systems with one of these words, separated by commas, in their name."
        ),
    ] = "",
    reuse: Annotated[
        Path | None,
        typer.Option(help="Figures of an earlier run: its peers on the same texts are taken over."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Writes the figures here, after each system.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Keystrokes saved against time a suggestion, as PNG.")
    ] = None,
) -> None:
    """Measures the networks of this repository and their peers."""
    try:
        settings = JobSettings(_span(characters, bits), max_chars)
        folders = {"packages": packages, "prose": prose}
        found = [t for name in _names(sets) if (t := _texts(name, folders, settings, documents))]
        jobs = [
            *network_jobs(checkpoint or CHECKPOINTS, plain or [], found, settings),
            *peer_jobs(found, settings),
        ]
        words = [word.casefold() for word in only.split(",") if word]
        known = peers_of(reuse, settings) if reuse else {}
        measured: list[Measured] = []
        for job in jobs:
            if words and not any(word in job.system.casefold() for word in words):
                continue
            digest = job.texts.digest(settings.span)
            if (digest, job.system) in known:
                rows = [known[digest, job.system]]
            else:
                with _advance(f"{job.texts.name}: {job.system}", job.characters) as advance:
                    try:
                        rows = job.measure(advance)
                    except Missing as missing:
                        _say(f"{job.texts.name}: {job.system} is left out: {missing}")
                        continue
            measured += [Measured(digest, row) for row in rows]
            if json_file is not None:
                write(JobFigures(processor(), settings, tuple(measured)), json_file)
    except (CorpusError, ModelError, ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    rows = [one.row for one in measured]
    console = Console()
    for texts in found:
        report.show(console, texts.name, [row for row in rows if row.text_set == texts.name])
    if picture is not None and rows:
        report.picture(rows, picture)


def _span(characters: str, bits: int) -> Span:
    begin, _, end = characters.partition(":")
    if not (begin.isdecimal() and end.isdecimal()):
        raise ValueError(f"--characters {characters}: give two numbers, as 1500:1800")
    return Span(int(begin), int(end), bits)


def _names(sets: str) -> list[str]:
    names = [name for name in sets.split(",") if name]
    if not names or any(name not in SETS for name in names):
        raise ValueError(f"--sets {sets}: name some of {', '.join(SETS)}")
    return names


def _texts(
    name: str, folders: dict[str, Path], settings: JobSettings, documents: int
) -> TextSet | None:
    """One set, or None, with a line that says so, where its folder is not there."""
    here = {"python": standard_library, "newer": own_code}
    if name in here:
        return text_set(name, here[name](), settings.span, documents)
    if not folders[name].exists():
        _say(
            f"{name}: {folders[name]} is not there, so this set is left out; "
            f"--{name} DIR names another folder, `python -m training.texts` makes this one"
        )
        return None
    return text_set(name, folder(folders[name]), settings.span, documents)


def _say(line: str) -> None:
    standard_error.print(escape(line), highlight=False, soft_wrap=True)


@contextmanager
def _advance(what: str, total: int) -> Iterator[peers.Progress]:
    """A bar on a terminal, with the time that remains; otherwise a line."""
    if not standard_error.is_terminal:
        _say(what)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=standard_error,
        disable=not standard_error.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda done: progress.advance(task, done)


if __name__ == "__main__":
    app()
