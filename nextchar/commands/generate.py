"""The verb `generate`: a text that goes on from a given text, or from nothing (one to many)."""

from itertools import islice
from typing import Annotated

import typer

from nextchar.errors import UsageError
from nextchar.options import (
    MIN_P,
    SEED,
    TOP_K,
    TOP_P,
    BackendOption,
    CheckpointOption,
)
from nextchar.writing import write_output


def generate(
    checkpoint: CheckpointOption,
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="What the text begins with.", show_default=False)
    ] = "",
    length: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many characters to generate.")
    ] = 400,
    temperature: Annotated[
        float,
        typer.Option(metavar="T", help="Below 1 safer, above 1 wilder; 0 takes the likeliest."),
    ] = 0.8,
    top_k: Annotated[int, TOP_K] = 0,
    top_p: Annotated[float, TOP_P] = 1.0,
    min_p: Annotated[float, MIN_P] = 0.0,
    seed: Annotated[int | None, SEED] = None,
    backend: BackendOption = "auto",
) -> None:
    """Generate text character by character; each one is fed back as the next input.

    Unlike `complete` and `next`, this does not adapt to what the text repeats.

    Example: nextchar generate "def " --checkpoint checkpoints/python --seed 1
    """
    from model.checkpoint import load
    from model.decoding.sampling import Sampling
    from model.generating import generate as generate_text
    from model.served import Runtime

    try:
        sampling = Sampling(temperature, top_k, top_p, min_p)
    except ValueError as error:
        raise UsageError(str(error)) from None
    runtime = Runtime(load(checkpoint), backend)
    characters = islice(generate_text(runtime, text, sampling, seed), length)
    # A text that the vocabulary cannot spell is refused here, before anything is written.
    first = next(characters)
    write_output(text + first)
    for character in characters:
        write_output(character)
    write_output("\n")
