"""The verb `gradients`: how far gradients reach through time, as figures, pictures and a report."""

import sysconfig
from pathlib import Path
from platform import python_version
from typing import Annotated

import typer

from model.errors import readable
from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import JsonOption
from nextchar.progress import progress_bar
from nextchar.reading import read_documents
from nextchar.writing import STANDARD_OUTPUT, check_target, write_json

# The module of the standard library that is the text where none is named.
DEFAULT_MODULE = "argparse.py"


def gradients(
    texts: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[TEXT]",
            help="UTF-8 files or folders to learn from; by default one module of the standard "
            "library.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The report; its pictures go into a folder of the same name."
        ),
    ] = Path("docs/gradients.md"),
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Training steps of each kind of cell.")
    ] = 1000,
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processor threads; the figures depend on them.")
    ] = 1,
    json: JsonOption = None,
) -> None:
    """Measure vanishing and exploding gradients, and write a report with pictures.

    It compares Elman cells at spectral radii below, at and above 1, and Elman, GRU and LSTM cells
    of equal size on the same text and budget. It also shows saturated units, the norm of the state,
    and what clipping does.

    Example: nextchar gradients --report docs/gradients.md
    """
    check_target(json)
    if report.suffix != ".md" or report.is_dir():
        raise UsageError(f"--report: {report} is no name for a report; name a file FILE.md")
    name, text = _text(texts or [])
    with training_extra("measuring gradients needs"):
        import torch

        from training.gradients import report as reports
        from training.gradients.experiment import Experiment, ExperimentSettings
    torch.set_num_threads(threads)
    try:
        fewer = min(steps, ExperimentSettings.clipping_steps)
        experiment = Experiment(text, ExperimentSettings(steps=steps, clipping_steps=fewer))
    except ValueError as error:
        raise UsageError(str(error)) from None
    with progress_bar("training", experiment.work) as progress:
        measured = experiment.run(name, progress)
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        kept = reports.write(measured, report)
    except OSError as error:
        raise UsageError(f"--report: {report} cannot be written: {error.strerror}") from None
    if json is not None:
        write_json(kept.to_json(), json)
    if json != STANDARD_OUTPUT:
        said = f"wrote {report}, and its pictures into {report.with_suffix('')}"
        print(readable(said))


def _text(paths: list[Path]) -> tuple[str, str]:
    """What the text is called in the report, and the text."""
    if paths:
        documents = read_documents(paths)
        named = ", ".join(f"`{path}`" for path in paths)
        return named, "".join(text for _, text in documents)
    module = Path(sysconfig.get_path("stdlib")) / DEFAULT_MODULE
    ((_, text),) = read_documents([module])
    return f"`{DEFAULT_MODULE}` of the standard library of Python {python_version()}", text
