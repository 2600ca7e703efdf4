"""The verb `score`: a text's log-probability, and each character's surprise."""

from dataclasses import asdict
from typing import Annotated

import typer

from nextchar.errors import UsageError
from nextchar.options import BackendOption, CheckpointOption, JsonOption
from nextchar.reading import read_text
from nextchar.writing import STANDARD_OUTPUT, write_json
from training.corpus import STANDARD_INPUT


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
    """Score a whole text (many to one); with --each, also every character of it (in step).

    The log-probability is natural. A surprise is -log2 of a character's probability after all the
    text before it. A line end is one character, however the file writes it. Like `complete`, it
    adapts to what the text repeats, where the checkpoint can.

    Example: nextchar score --checkpoint checkpoints/python setup.py --each
    """
    from rich.console import Console

    from model.checkpoint import load
    from model.served import Runtime
    from model.text_form import training_form
    from nextchar.tables import score_table, surprise_table
    from training.evaluation.scoring import read

    body = training_form(read_text(text))
    if not body:
        raise UsageError("there is no text to score: at least one character was expected")
    runtime = Runtime(load(checkpoint), backend)
    reading = read(runtime, [body])[0]
    bits = reading.bits.tolist()
    if json is not None:
        figures = {"model": runtime.checkpoint.name, **asdict(reading.score())}
        rows = [{"character": c, "bits": b} for c, b in zip(body, bits, strict=True)]
        write_json(figures | ({"each": rows} if each else {}), json)
    if json == STANDARD_OUTPUT:
        return
    console = Console()
    if each:
        console.print(surprise_table(body, bits))
    console.print(score_table(reading.score()))
