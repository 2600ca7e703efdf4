"""The options that several verbs share, and what they mean to the model."""

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
BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        envvar="NEXTCHAR_BACKEND",
        help="What computes: auto, vnni, avx2, neon, portable or numpy; the answers are the same.",
    ),
]


def completion_options(
    max_chars: int | None = None,
    min_confidence: float | None = None,
    stop: tuple[str, ...] = (),
    suffix: str = "",
) -> "Options":
    """The model's options, with its own defaults for what is not given.

    Raises UsageError for a value that the model refuses.
    """
    from model.decoding import Options

    own = Options()
    try:
        return Options(
            max_chars=own.max_chars if max_chars is None else max_chars,
            min_confidence=own.min_confidence if min_confidence is None else min_confidence,
            stop=stop,
            suffix=suffix,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
