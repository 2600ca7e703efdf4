"""The verb `train`: a checkpoint from text."""

from pathlib import Path
from typing import Annotated

import typer

from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import (
    DataOption,
    IncludeOption,
    MaximumOption,
    MinimumOption,
    OutOption,
    SkipOption,
    TextsArgument,
    TrainingSeedOption,
)
from nextchar.reading import selection
from nextchar.writing import check_checkpoint_folder
from training.corpus import MOST_FILE_CHARACTERS, read
from training.loop.schedule import Budget
from training.presets import PRESETS, preset_named


def train(
    texts: TextsArgument,
    out: OutOption,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Stop after M minutes; 10 where neither --steps nor --epochs is given.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after N optimiser steps.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after N readings of the text.")
    ] = None,
    late: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEXT",
            help="Further text, of the kind that matters most; read late in each epoch. "
            "Repeatable.",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help=f"The network's shape: {', '.join(PRESETS)}.")
    ] = "default",
    include: IncludeOption = None,
    skip: SkipOption = None,
    minimum: MinimumOption = 1,
    maximum: MaximumOption = MOST_FILE_CHARACTERS,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TEXT",
            help="Text to measure on; without it one file in twenty is held out. Repeatable.",
        ),
    ] = None,
    minimum_count: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Spell in bytes the characters that occur fewer than N times."
        ),
    ] = 100,
    data: DataOption = "",
    seed: TrainingSeedOption = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processor threads; all by default.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Where the network learns: cpu, or cuda for a GPU.")
    ] = "cpu",
    again: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Begin with this checkpoint's network and vocabulary, and with empty tables, to "
            "read its text once more. The preset must have its shape.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save the run here every 15 minutes and at its end. Where the file exists, go on "
            "from it.",
        ),
    ] = None,
) -> None:
    """Train a checkpoint on text, and keep the one that is best on held-out text.

    Ctrl-C ends the run early and leaves the best checkpoint so far.

    Example: nextchar train src docs --out checkpoints/mine --minutes 20 --preset small
    """
    from model.checkpoint import load
    from training.loop.options import RunOptions

    check_checkpoint_folder(out)
    if again is not None and out.resolve() == again.resolve():
        raise UsageError(f"--out: {out} is what --again begins with; name another folder")
    base = None if again is None else load(again)
    try:
        chosen = preset_named(preset)
        budget = Budget.or_default(minutes, steps, epochs)
        options = RunOptions(
            preset_name=preset,
            data=data,
            seed=seed,
            minimum_count=minimum_count,
            threads=threads,
            resume=resume,
            device=device,
            base=base,
        )
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    files = selection(include, skip, minimum=minimum, maximum=maximum)
    corpus = read(texts, files, validation or [], late or [])
    with training_extra("training needs"):
        from training.loop.train import train as run
    try:
        history = run(corpus, out, chosen, budget, options)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from None
    if history.interrupted:
        raise typer.Exit(130)
