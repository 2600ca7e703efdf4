"""The application: its verbs, its version, and how it reports a mistake or Ctrl-C."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from model.errors import ModelError, readable
from nextchar.commands.average import average
from nextchar.commands.calibrate import calibrate
from nextchar.commands.complete import complete
from nextchar.commands.corpus import corpus
from nextchar.commands.evaluate import evaluate
from nextchar.commands.generate import generate
from nextchar.commands.gradients import gradients
from nextchar.commands.lecture import lecture
from nextchar.commands.next_character import next_character
from nextchar.commands.prime import prime
from nextchar.commands.score import score
from nextchar.commands.serve import serve
from nextchar.commands.texts import texts
from nextchar.commands.train import train
from nextchar.commands.units import units
from nextchar.errors import UsageError
from service.errors import StartupError
from training.errors import TrainingError

# Errors that a user can correct. Each is shown as one line.
MISTAKES = (typer.TyperException, UsageError, ModelError, TrainingError, StartupError)
# Exit statuses. 130 is what a shell reports for a process that Ctrl-C ended.
FAILURE = 1
MISTAKE = 2
INTERRUPTED = 130

# The verbs in the order in which a newcomer needs them. A verb imports heavy modules only when it
# runs, so that help and small jobs start at once.
VERBS: dict[str, Callable[..., None]] = {
    "train": train,
    "evaluate": evaluate,
    "calibrate": calibrate,
    "serve": serve,
    "complete": complete,
    "generate": generate,
    "score": score,
    "next": next_character,
    "lecture": lecture,
    "gradients": gradients,
    "units": units,
    "corpus": corpus,
    "texts": texts,
    "prime": prime,
    "average": average,
}

app = typer.Typer(
    name="nextchar",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, verb in VERBS.items():
    app.command(name)(verb)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nextchar {version('nextchar')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def nextchar(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Text autocompletion on a character-level recurrent network, on your own machine.

    Example: nextchar serve --checkpoint checkpoints/python
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Prints a warning as one line, without the place in the code that raised it."""
    print(f"nextchar: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status.

    It is 0 for success, 1 for a failing disk or device, 2 for a mistake and 130 for Ctrl-C.
    """
    # The runtime's matrix products are small. A second thread gains little, and makes them many
    # times slower where another process uses the cores. numpy reads this variable when it is first
    # imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    warnings.showwarning = _show_warning
    try:
        status = typer.main.get_command(app).main(
            args=arguments, prog_name="nextchar", standalone_mode=False
        )
    except MISTAKES as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        message = readable(" ".join(message.split())).replace(": Value error, ", ": ")
        print(f"nextchar: {message}", file=sys.stderr)
        return MISTAKE
    except OSError as error:
        # The disk is full, or a device fails. The verbs turn a mistake, such as a wrong folder,
        # into a UsageError.
        where = readable(error.filename or "output")
        print(f"nextchar: {where}: {error.strerror}", file=sys.stderr)
        return FAILURE
    # Typer turns Ctrl-C into this status and prints nothing.
    if status == INTERRUPTED:
        print("nextchar: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0
