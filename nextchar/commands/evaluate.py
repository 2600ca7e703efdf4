"""The verb `evaluate`: how well a checkpoint does on texts that it has never seen."""

from os.path import abspath, commonpath, dirname, relpath
from typing import TYPE_CHECKING, Annotated

import typer

from nextchar.errors import UsageError
from nextchar.options import (
    BackendOption,
    CheckpointArgument,
    IncludeOption,
    JsonOption,
    MaxCharactersOption,
    MaxCharsOption,
    MinConfidenceOption,
    TextsArgument,
    completion_options,
)
from nextchar.reading import read_documents
from nextchar.writing import STANDARD_OUTPUT, check_folder, check_target, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from training.evaluation.evaluation import Evaluation
    from training.evaluation.figures import TypistFigures

_TITLES = ("characters", "bits/char", "saved", "shown", "accepted", "cal. error")


def evaluate(
    checkpoint: CheckpointArgument,
    texts: TextsArgument,
    max_characters: MaxCharactersOption = None,
    include: IncludeOption = None,
    max_chars: MaxCharsOption = None,
    min_confidence: MinConfidenceOption = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Adapt to what the text repeats, or do not; by default where the checkpoint can.",
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write the figures into the checkpoint's card, too.")
    ] = False,
    json: JsonOption = None,
    backend: BackendOption = "auto",
) -> None:
    """Report bits a character and the simulated typist's figures, in the served arithmetic.

    Each file is a document of its own; folders are walked.

    Example: nextchar evaluate checkpoints/python src --max-characters 4000 --json figures.json
    """
    from rich.console import Console

    from model.checkpoint import load
    from model.served import Runtime
    from nextchar.progress import progress_bar
    from training.evaluation.evaluation import PASSES
    from training.evaluation.evaluation import evaluate as evaluate_texts
    from training.reporting.card import record as record_figures

    options = completion_options(max_chars=max_chars, min_confidence=min_confidence)
    check_target(json)
    if record:
        check_folder(checkpoint)
    runtime = Runtime(load(checkpoint), backend, adapt)
    documents = [(name, text[:max_characters]) for name, text in read_documents(texts, include)]
    characters = sum(len(text) for _, text in documents)
    with progress_bar("characters", PASSES * characters) as advance:
        evaluation = evaluate_texts(runtime, documents, options, advance)
    if record:
        try:
            record_figures(checkpoint, evaluation)
        except OSError as error:
            raise UsageError(f"{checkpoint} cannot be written: {error.strerror}") from None
    if json is not None:
        write_json(evaluation.to_json(), json)
    if json != STANDARD_OUTPUT:
        Console().print(_table(evaluation))


def _table(evaluation: "Evaluation") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Column, Table

    time = evaluation.milliseconds_per_suggestion
    table = Table(
        Column("document", overflow="fold"),
        *(Column(title, justify="right", no_wrap=True) for title in _TITLES),
        title=f"{evaluation.model} ({evaluation.fingerprint[:12]})"
        + (", adapted" if evaluation.adapted else ""),
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        caption=f"a suggestion takes {time.median:.2f} ms (median), {time.p95:.2f} ms (95 %); "
        f"{100 * (evaluation.flicker or 0):.1f} % of keys typed through one change it otherwise "
        "than by growing",
    )
    names = [abspath(document.name) for document in evaluation.documents]
    folder = commonpath([dirname(name) for name in names])
    for name, document in zip(names, evaluation.documents, strict=True):
        shown = escape(relpath(name, folder))
        table.add_row(shown, *_cells(document.bits_per_character, document.typist))
    table.add_section()
    table.add_row("all", *_cells(evaluation.bits_per_character, evaluation.typist), style="bold")
    return table


def _cells(bits: float, typist: "TypistFigures") -> list[str]:
    shares = (typist.keystrokes_saved, typist.shown, typist.accepted, typist.calibration_error)
    return [
        f"{typist.characters:,}",
        f"{bits:.3f}",
        *("–" if share is None else f"{100 * share:.1f} %" for share in shares),
    ]
