"""The verb `calibrate`: fits the confidence of suggestions to how often they are right."""

import typer

from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import (
    BackendOption,
    CheckpointArgument,
    IncludeOption,
    JsonOption,
    MaxCharactersOption,
    TextsArgument,
)
from nextchar.reading import read_documents
from nextchar.writing import STANDARD_OUTPUT, check_folder, check_target, write_json


def calibrate(
    checkpoint: CheckpointArgument,
    texts: TextsArgument,
    max_characters: MaxCharactersOption = None,
    include: IncludeOption = None,
    json: JsonOption = None,
    backend: BackendOption = "auto",
) -> None:
    """Measure how often suggestions are right on held-out texts, and fit their confidence to it.

    The fit is stored in the checkpoint, whose fingerprint changes. calibration.png shows it.

    Example: nextchar calibrate checkpoints/python validation --max-characters 8000
    """
    from model.calibration import Calibration
    from model.checkpoint import load
    from model.served import Runtime
    from nextchar.progress import progress_bar
    from training.evaluation.evaluation import PASSES

    with training_extra("calibrating needs"):
        from training.finishing import calibration as fitting

    check_target(json)
    check_folder(checkpoint)
    runtime = Runtime(load(checkpoint), backend)
    runtime.calibration = Calibration()
    documents = [text[:max_characters] for _, text in read_documents(texts, include)]
    with progress_bar("characters", PASSES * sum(map(len, documents))) as advance:
        shown = fitting.type_texts(runtime, documents, advance)
    try:
        found, report = fitting.calibrate(shown)
        fitting.store(checkpoint, found, report, fitting.joined(shown))
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{checkpoint} cannot be written: {error.strerror}") from None
    if json is not None:
        write_json(fitting.to_json(found, report, load(checkpoint).fingerprint), json)
    if json != STANDARD_OUTPUT:
        typer.echo(
            f"{report.suggestions:,} suggestions in {report.documents:,} documents: confidence was "
            f"off by {100 * report.error_before:.1f} %, and is by {100 * report.error_after:.1f} % "
            "on documents that it was not fitted to"
        )
