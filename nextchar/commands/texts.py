"""The verb `texts`: makes the texts that the shipped checkpoints learn from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextchar.errors import UsageError

if TYPE_CHECKING:
    from training.texts.recipe import Recipe


class TextsCorpus(StrEnum):
    """The corpora that can be made."""

    PYTHON = "python"
    PROSE = "prose"


def texts(
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="The folder for the texts.")
    ] = None,
    only: Annotated[
        TextsCorpus | None,
        typer.Option(metavar="CORPUS", help="Make only one of the two corpora: python or prose."),
    ] = None,
    prose: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of prose corpora, with train and validation."),
    ] = None,
    archives: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of archives; by default OUT/archives."),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A list of sources other than the project's."),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="PIP_INDEX_URL",
            show_envvar=False,
            help="The package index; by default PIP_INDEX_URL, or else PyPI.",
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            metavar="S",
            help="The random part of the sources' files that is taken, 0 to 1. The standard "
            "library and the prose corpora are always taken whole.",
        ),
    ] = 1.0,
    describe: Annotated[
        TextsCorpus | None,
        typer.Option(
            metavar="CORPUS",
            help="Make nothing; describe a corpus that was made before, for a checkpoint's card.",
        ),
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="Make nothing; list the standard library's files that are never trained on.",
        ),
    ] = False,
) -> None:
    """Make the texts that the shipped checkpoints learn from, as folders of documents.

    Missing archives are fetched from the package index, and every archive's SHA-256 is checked.
    training/README.md says which text is taken, and what the folder of prose corpora holds.

    Example: nextchar texts runs/texts --prose corpora
    """
    from training.texts.archives import INDEX_URL
    from training.texts.library import read_library
    from training.texts.manifest import describe as describe_corpus
    from training.texts.recipe import Recipe
    from training.texts.sources import LIST, read_sources

    if held_out:
        for document in read_library().validation:
            typer.echo(document.file)
        return
    if out is None:
        raise UsageError("Missing argument 'OUT': name the folder that the texts are written to")
    if describe is not None:
        typer.echo(describe_corpus(out, describe))
        return
    if only is not TextsCorpus.PYTHON:
        _check_prose(prose)
    listed = read_sources(sources or LIST)
    with _reports() as (say, advance):
        try:
            recipe = Recipe(
                out,
                listed,
                archives or out / "archives",
                prose,
                share=share,
                index=index or INDEX_URL,
                say=say,
                advance=advance,
            )
        except ValueError as error:
            raise UsageError(f"--{error}") from None
        try:
            _make(recipe, only)
        except OSError as error:
            raise UsageError(f"{error.filename or out}: {error.strerror}") from None


def _check_prose(corpora: Path | None) -> None:
    """Raises UsageError for a folder that lacks a side, before minutes of fetching code."""
    if corpora is None:
        raise UsageError("--prose: name the folder of prose corpora, or say --only python")
    for side in ("validation", "train"):
        if not (corpora / side).is_dir():
            raise UsageError(f"{corpora / side}: no such file or folder")


def _make(recipe: "Recipe", only: TextsCorpus | None) -> None:
    recipe.clear()
    try:
        if only is not TextsCorpus.PROSE:
            recipe.make_python()
        if only is not TextsCorpus.PYTHON:
            recipe.make_prose()
    finally:
        recipe.clear()


@contextmanager
def _reports() -> Iterator[tuple[Callable[[str], None], Callable[[str, int, int], None]]]:
    """Two functions that report on standard error: a line of text, and a download's progress."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(escape(line), highlight=False, soft_wrap=True)

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(escape(name))
            bar.update(tasks[name], completed=done, total=total, visible=done < total)

        yield say, advance
