"""The command-line options that several verbs share, and how they become the model's options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.errors import readable
from nextchar.errors import UsageError

if TYPE_CHECKING:
    from model.decoding.options import Options

# Input and output.
CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", metavar="DIR", help="The checkpoint's folder.")
]
CheckpointArgument = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The checkpoint's folder.")
]
TextsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEXT", help="UTF-8 files, or folders that hold them; - is standard input."
    ),
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
        "--include",
        metavar="PATTERN",
        help="In folders, take only files whose names match; repeatable.",
    ),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="PATTERN",
        help="In folders, leave out files and folders whose names match; repeatable.",
    ),
]
MinimumOption = Annotated[
    int,
    typer.Option("--minimum", min=1, metavar="N", help="Leave out files of fewer characters."),
]
MaximumOption = Annotated[
    int,
    typer.Option("--maximum", min=1, metavar="N", help="Leave out files of more characters."),
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
    int, typer.Option("--seed", min=0, metavar="N", help="The seed of all random choices.")
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="WORDS",
        callback=readable,
        help="What the text is and its licence, for the card.",
    ),
]

# What is suggested, and how characters are drawn.
MaxCharsOption = Annotated[
    int | None,
    typer.Option("--max-chars", metavar="N", help="The most characters that a suggestion has."),
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        metavar="P",
        help="Suggest a text only where all of it is right with at least this probability.",
    ),
]
TOP_K = typer.Option("--top-k", metavar="K", help="Draw from the K likeliest characters; 0 is all.")
TOP_P = typer.Option(
    "--top-p",
    metavar="P",
    help="Draw from the likeliest characters, whose probabilities add up to P.",
)
MIN_P = typer.Option(
    "--min-p",
    metavar="P",
    help="Draw from characters that are at least P times as likely as the likeliest one.",
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
        help="The code that computes: auto (the fastest here), vnni, avx2, neon, portable or "
        "numpy. The answers are the same.",
    ),
]


def completion_options(**given: Any) -> "Options":
    """The model's options. An option that is None gets the model's default.

    Raises UsageError for a value that the model refuses.
    """
    from model.decoding.options import Options

    try:
        return Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise UsageError(str(error)) from None
