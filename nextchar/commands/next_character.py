"""The verb `next`: the distribution of the character that comes next (many to one)."""

from typing import Annotated

import typer

from nextchar.options import BackendOption, CheckpointOption, JsonOption, completion_options
from nextchar.reading import read_standard_input
from nextchar.writing import STANDARD_OUTPUT, write_json


def next_character(
    checkpoint: CheckpointOption,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many characters to list.")] = 10,
    json: JsonOption = None,
    backend: BackendOption = "auto",
) -> None:
    """List the most probable next characters after the text on standard input.

    With one character this is the lecture's one-to-one, with a longer text its many-to-one. With
    an empty text it is the distribution of a text's first character. Like `complete`, it adapts to
    what the text repeats, where the checkpoint can.

    Example: printf 'h' | nextchar next --checkpoint checkpoints/prose --top 5
    """
    from rich.console import Console

    from model.checkpoint import load
    from model.completing import complete
    from model.served import Runtime
    from nextchar.tables import next_table

    runtime = Runtime(load(checkpoint), backend)
    answer = complete(runtime, read_standard_input(), completion_options(), top)
    if json is not None:
        rows = [{"character": c, "probability": p} for c, p in answer.next]
        write_json({"model": runtime.checkpoint.name, "next": rows}, json)
    if json != STANDARD_OUTPUT:
        Console().print(next_table(answer.next))
