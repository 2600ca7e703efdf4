"""The options that several verbs share, and what they mean to the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nextchar.errors import UsageError

if TYPE_CHECKING:
    from model.decoding.options import Options

# What is read and written.
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
OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where the checkpoint is written.")
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - is standard output."),
]

# Which files of a folder are taken, and how much of each.
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include", metavar="PATTERN", help="In folders, take files named so; repeatable."
    ),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="PATTERN", help="Pass over folders and files named so; repeatable."
    ),
]
MinimumOption = Annotated[
    int,
    typer.Option("--minimum", min=1, metavar="N", help="Pass over shorter files (characters)."),
]
MaximumOption = Annotated[
    int,
    typer.Option("--maximum", min=1, metavar="N", help="Pass over longer files (characters)."),
]
MaxCharactersOption = Annotated[
    int | None,
    typer.Option(
        "--max-characters",
        min=1,
        metavar="N",
        help="Take only the first N characters of each file.",
    ),
]

# How something is trained.
TrainingSeedOption = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Where chance begins.")
]
DataOption = Annotated[
    str,
    typer.Option("--data", metavar="WORDS", help="What the text is and its licence, for the card."),
]

# What is suggested, and how text is drawn.
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
TOP_K = typer.Option("--top-k", metavar="K", help="Draw from the K likeliest; 0 is all.")
TOP_P = typer.Option(
    "--top-p", metavar="P", help="Draw from the likeliest that add up to this share."
)
MIN_P = typer.Option(
    "--min-p", metavar="P", help="Draw from what is at least this share as likely as the likeliest."
)
SEED = typer.Option(
    "--seed", metavar="N", min=0, max=2**64 - 1, help="The same seed gives the same text."
)
BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        envvar="NEXTCHAR_BACKEND",
        help="What computes: auto, vnni, avx2, neon, portable or numpy; the answers are the same.",
    ),
]


def completion_options(**given: Any) -> "Options":
    """The model's options, with the model's own default for each that is None.

    Raises UsageError for a value that the model refuses.
    """
    from model.decoding.options import Options

    try:
        return Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise UsageError(str(error)) from None
