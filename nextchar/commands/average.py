"""The verb `average`: the mean of a network before and after further training."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from model.errors import readable
from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import JsonOption, OutOption, TextsArgument
from nextchar.reading import selection
from nextchar.writing import STANDARD_OUTPUT, check_checkpoint_folder, check_target, write_json
from training.finishing.shares import AverageShares


def average(
    first: Annotated[
        Path, typer.Argument(metavar="FIRST", help="The checkpoint that the second began with.")
    ],
    second: Annotated[
        Path, typer.Argument(metavar="SECOND", help="The checkpoint that `train --again` made.")
    ],
    texts: TextsArgument,
    validation: Annotated[
        list[Path],
        typer.Option("--validation", metavar="TEXT", help="Text to measure on. Repeatable."),
    ],
    out: OutOption,
    share: Annotated[
        float, typer.Option("--share", metavar="S", help="The weight of the second, 0 to 1.")
    ] = AverageShares.share,
    tables: Annotated[
        tuple[float, float],
        typer.Option(
            "--tables",
            metavar="FIRST SECOND",
            help="The factors of the first's and the second's rows in their sum, 0 to 1.",
        ),
    ] = AverageShares.tables,
    json: JsonOption = None,
) -> None:
    """Average two checkpoints, of which the second began with the first.

    TEXT is what both were trained on. It decides where weights are clipped, and adaptation is
    primed on it. The new checkpoint may replace one of the two.

    Example: nextchar average runs/once runs/again src --validation held-out --out runs/mean
    """
    from model.checkpoint import load
    from training import corpus

    check_target(json)
    check_checkpoint_folder(out)
    try:
        shares = AverageShares(share, tables)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    found = corpus.read(texts, selection(), validation)
    with training_extra("averaging needs"):
        from training.finishing.average import average_checkpoints
    try:
        cost = average_checkpoints(first, second, found, out, shares)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from None
    if json is not None:
        figures = {"fingerprint": load(out).fingerprint, **asdict(cost), "cost": cost.bits}
        write_json(figures, json)
    if json != STANDARD_OUTPUT:
        typer.echo(
            f"{readable(out)}: {cost.served_bits:.4f} bits a character on held-out text, as served"
        )
