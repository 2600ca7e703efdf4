"""The verb `prime`: trains a checkpoint's adaptation, how far it trusts what a text repeats."""

from typing import Annotated

import typer

from model.errors import readable
from nextchar.errors import UsageError
from nextchar.options import (
    CheckpointArgument,
    DataOption,
    IncludeOption,
    JsonOption,
    SkipOption,
    TextsArgument,
    TrainingSeedOption,
)
from nextchar.reading import selection
from nextchar.writing import STANDARD_OUTPUT, check_folder, check_target, write_json


def prime(
    checkpoint: CheckpointArgument,
    texts: TextsArgument,
    include: IncludeOption = None,
    skip: SkipOption = None,
    documents: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Read at most N documents, spread over all; by default as many as `train` reads.",
        ),
    ] = None,
    data: DataOption = "",
    seed: TrainingSeedOption = 1,
    json: JsonOption = None,
) -> None:
    """Prime a checkpoint's adaptation once more, on texts that it is not evaluated on.

    `train` does this at its end, on its training text. Text that is new to the network is better.
    The checkpoint's fingerprint changes.

    Example: nextchar prime checkpoints/mine ~/src/other-project --include '*.py'
    """
    from model.checkpoint import load
    from training import corpus
    from training.finishing import priming

    check_target(json)
    check_folder(checkpoint)
    found = corpus.read(texts, selection(include, skip))
    trained = load(checkpoint)
    chosen = priming.choose_beginnings(found.train, documents or priming.MOST_DOCUMENTS)
    try:
        primed = priming.prime(trained, chosen, seed)
        priming.save(checkpoint, trained, primed, data)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{checkpoint} cannot be written: {error.strerror}") from None
    if json is not None:
        figures = {"fingerprint": load(checkpoint).fingerprint, **primed.summary()}
        write_json(figures, json)
    if json != STANDARD_OUTPUT:
        typer.echo(
            f"{readable(checkpoint)}: {primed.network_bits:.3f} bits an id by the network, "
            f"{primed.adapted_bits:.3f} adapted, on {primed.places:,} ids"
        )
