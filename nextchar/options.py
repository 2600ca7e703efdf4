"""The options that several verbs share, and what they mean to the model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextchar.errors import UsageError

if TYPE_CHECKING:
    from model.decoding import Options

CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", metavar="DIR", help="The checkpoint's folder.")
]
CheckpointArgument = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The checkpoint's folder.")
]
TextsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="TEXT", help="UTF-8 files, or folders that hold them."),
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - is standard output."),
]
MaxCharsOption = Annotated[
    int | None,
    typer.Option("--max-chars", metavar="N", help="The most characters that a suggestion has."),
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        metavar="P",
        help="Suggest only what is wholly right with at least this probability.",
    ),
]


def completion_options(
    max_chars: int | None = None,
    min_confidence: float | None = None,
    stop: tuple[str, ...] | None = None,
    suffix: str | None = None,
) -> "Options":
    """The model's options: those that are given and not None, and its own defaults for the rest.

    Raises UsageError for a value that the model refuses.
    """
    from model.decoding import Options

    given = {
        "max_chars": max_chars,
        "min_confidence": min_confidence,
        "stop": stop,
        "suffix": suffix,
    }
    try:
        return replace(Options(), **{n: value for n, value in given.items() if value is not None})
    except ValueError as error:
        raise UsageError(str(error)) from None
