"""The verb `complete`: one answer, computed from the whole text without a service."""

from pathlib import Path
from typing import Annotated

import typer

from nextchar.options import (
    MIN_P,
    SEED,
    TOP_K,
    TOP_P,
    BackendOption,
    CheckpointOption,
    MaxCharsOption,
    MinConfidenceOption,
    completion_options,
)
from nextchar.reading import read_standard_input, read_text
from nextchar.writing import STANDARD_OUTPUT, write_json


def complete(
    checkpoint: CheckpointOption,
    suffix_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The text after the cursor; it is never suggested again."
        ),
    ] = None,
    max_chars: MaxCharsOption = None,
    min_confidence: MinConfidenceOption = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="End the suggestion before this text; repeatable."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", metavar="N", help="The number of suggestions.")
    ] = None,
    max_lines: Annotated[
        int | None, typer.Option(metavar="N", help="The most lines that a suggestion has.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="Above 0, suggestions are drawn at random.")
    ] = None,
    top_k: Annotated[int | None, TOP_K] = None,
    top_p: Annotated[float | None, TOP_P] = None,
    min_p: Annotated[float | None, MIN_P] = None,
    seed: Annotated[int | None, SEED] = None,
    manual: Annotated[
        bool, typer.Option("--manual", help="Show the best suggestion, whatever its confidence.")
    ] = False,
    top: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="How many next characters to list."),
    ] = 0,
    backend: BackendOption = "auto",
) -> None:
    """Complete the text on standard input, and print the answer of POST /complete.

    Session, version and usage are left out, because this process has no session. Everything else
    equals the service's answer to the bit.

    Example: printf 'import nu' | nextchar complete --checkpoint checkpoints/python
    """
    from model.checkpoint import load
    from model.completing import complete as complete_text
    from model.served import Runtime
    from service.http.answer_form import answer_form

    options = completion_options(
        max_chars=max_chars,
        min_confidence=min_confidence,
        stop=tuple(stop or ()),
        suffix="" if suffix_file is None else read_text(str(suffix_file)),
        n=n,
        max_lines=max_lines,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        trigger="manual" if manual else "automatic",
    )
    runtime = Runtime(load(checkpoint), backend)
    prefix = read_standard_input()
    answer = complete_text(runtime, prefix, options, top)
    form = answer_form(
        len(prefix), answer.completion, answer.alternatives, answer.next, runtime.checkpoint.name
    )
    write_json(form, STANDARD_OUTPUT)
