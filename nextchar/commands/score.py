"""The verb `score`: a text's log-probability, and each character's surprise."""

import math
from typing import Annotated

import typer

from nextchar.errors import UsageError
from nextchar.options import BackendOption, CheckpointOption, JsonOption
from nextchar.reading import STANDARD_INPUT, read_text
from nextchar.writing import STANDARD_OUTPUT, write_json


def score(
    checkpoint: CheckpointOption,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="A UTF-8 file; - is standard input.")
    ] = STANDARD_INPUT,
    each: Annotated[
        bool, typer.Option("--each", help="Also list the surprise of each character.")
    ] = False,
    json: JsonOption = None,
    backend: BackendOption = "auto",
) -> None:
    """Score a whole text (many to one), with --each every character of it (in step).

    The log-probability is natural; a surprise is -log2 of a character's probability after all
    that stands before it.

    Example: nextchar score --checkpoint checkpoints/python setup.py --each
    """
    from rich.console import Console
    from rich.table import Table

    from model.checkpoint import load
    from model.runtime import Runtime
    from training.surprise import read

    body = read_text(text)
    if not body:
        raise UsageError("there is no text to score: at least one character was expected")
    runtime = Runtime(load(checkpoint), backend)
    bits = read(runtime, [body])[0].bits.tolist()
    total = math.fsum(bits)
    figures = {
        "model": runtime.checkpoint.name,
        "characters": len(body),
        "log_probability": -total * math.log(2),
        "bits": total,
        "bits_per_character": total / len(body),
        "perplexity": 2 ** (total / len(body)),
    }
    if json is not None:
        rows = [{"character": c, "bits": b} for c, b in zip(body, bits, strict=True)]
        write_json(figures | ({"each": rows} if each else {}), json)
    if json == STANDARD_OUTPUT:
        return
    console = Console()
    if each:
        steps = Table("position", "character", "probability", "bits")
        for position, (character, surprise) in enumerate(zip(body, bits, strict=True)):
            steps.add_row(str(position), repr(character), f"{2**-surprise:.4f}", f"{surprise:.2f}")
        console.print(steps)
    table = Table("figure", "value")
    table.add_row("characters", str(len(body)))
    table.add_row("log-probability", f"{figures['log_probability']:.3f}")
    table.add_row("bits a character", f"{figures['bits_per_character']:.4f}")
    table.add_row("perplexity a character", f"{figures['perplexity']:.3f}")
    console.print(table)
