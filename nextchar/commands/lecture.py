"""The verb `lecture`: the five shapes of sequence learning, and the word "hello"."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import readable
from model.text_form import training_form
from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import BackendOption, JsonOption
from nextchar.reading import read_text
from nextchar.writing import STANDARD_OUTPUT, check_new_folder, check_target, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from model.served import Runtime
    from training.lecture.graph import Graph

DEFAULT_TEXT = "import "
# The training of `hello`, a hundred steps, shows a line for every tenth step.
STEPS_BETWEEN_LINES = 10


class Variant(StrEnum):
    """What `lecture` shows."""

    ALL = "all"
    ONE_TO_ONE = "one-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_ONE = "many-to-one"
    READ_THEN_WRITE = "read-then-write"
    IN_STEP = "in-step"
    HELLO = "hello"


SHAPES = tuple(variant for variant in Variant if variant not in (Variant.ALL, Variant.HELLO))


def lecture(
    variant: Annotated[
        Variant, typer.Argument(metavar="[VARIANT]", help=f"One of {', '.join(Variant)}.")
    ] = Variant.ALL,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXT]", help=f"The text that is read; {DEFAULT_TEXT!r} where none is given."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The checkpoint's folder; hello trains its own network."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read the text from a file; - is standard input."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With hello: leave the checkpoint and a picture of the graph here."
        ),
    ] = None,
    json: JsonOption = None,
    backend: BackendOption = "auto",
) -> None:
    """Show one shape of sequence learning on a text, or all five, with the same network.

    one-to-one and one-to-many read only the text's first character; one-to-many also takes an empty
    text. many-to-one, read-then-write and in-step read the whole text. hello trains an Elman cell
    on the word “hello” within seconds.

    Example: nextchar lecture many-to-one "import nump" --checkpoint checkpoints/python
    """
    check_target(json)
    if text is not None and file is not None:
        raise UsageError("the text is given twice, as TEXT and as --file; give one of them")
    if variant is Variant.HELLO:
        if text is not None or file is not None or checkpoint is not None:
            raise UsageError("hello trains its own network on its own word; give no text to it")
        _hello(out, json)
        return
    if out is not None:
        raise UsageError("--out: only hello leaves a checkpoint; leave the option out")
    if checkpoint is None:
        raise UsageError(f"{variant} needs a checkpoint: --checkpoint DIR; only hello has its own")
    given = read_text(file) if file is not None else DEFAULT_TEXT if text is None else text
    body = training_form(given)
    if not body and variant is not Variant.ONE_TO_MANY:
        raise UsageError("there is no text to read: at least one character was expected")

    from rich.console import Console

    from model.checkpoint import load
    from model.served import Runtime

    runtime = Runtime(load(checkpoint), backend)
    console = Console(highlight=False, quiet=json == STANDARD_OUTPUT)
    figures = {
        shape.value: _show(console, shape, runtime, body)
        for shape in (SHAPES if variant is Variant.ALL else [variant])
    }
    console.print(
        "\nh₀ is the empty state; (c) was written and is read again; ␣ ↵ ⇥ are blanks.",
        style="dim",
    )
    if json is not None:
        write_json({"model": runtime.checkpoint.name, **figures}, json)


def _show(console: "Console", shape: Variant, runtime: "Runtime", text: str) -> dict[str, object]:
    """Shows one shape, and returns its figures."""
    from rich.text import Text

    from nextchar.tables import next_table, score_table, surprise_table
    from training.lecture import variants

    if shape is Variant.ONE_TO_ONE:
        one = variants.one_to_one(runtime, text)
        _head(console, shape, "a character in, the distribution of the next one out", one.graph())
        console.print(next_table(one.next))
        return asdict(one)
    if shape is Variant.ONE_TO_MANY:
        many = variants.one_to_many(runtime, text)
        _head(console, shape, "a character in, a text out: what is drawn is read", many.graph())
        console.print(Text.assemble(many.read, (many.generated, "green")))
        return asdict(many)
    if shape is Variant.MANY_TO_ONE:
        whole = variants.many_to_one(runtime, text)
        _head(console, shape, "a text in, one answer out: what comes next", whole.graph())
        console.print(next_table(whole.next))
        console.print("or how likely the text is:")
        console.print(score_table(whole.score))
        return asdict(whole)
    if shape is Variant.READ_THEN_WRITE:
        written = variants.read_then_write(runtime, text)
        _head(console, shape, "a prefix in, then a completion out (unsure or not)", written.graph())
        console.print(Text.assemble(written.read, (written.completion.text, "green")))
        return {
            **asdict(written),
            "text": written.completion.text,
            "confidence": written.completion.confidence,
        }
    step = variants.in_step(runtime, text)
    _head(console, shape, "at each character its surprise, and what comes next", step.graph())
    console.print(surprise_table(step.read, step.bits))
    return asdict(step)


def _head(console: "Console", shape: Variant, statement: str, graph: "Graph") -> None:
    from rich.text import Text

    from training.lecture.graph import as_text

    console.print(Text.assemble("\n", (shape.replace("-", " "), "bold"), f": {statement}\n"))
    console.print(Text(as_text(graph)), soft_wrap=True)
    console.print()


def _hello(out: Path | None, json: str | None) -> None:
    if out is not None:
        check_new_folder(out)
    with training_extra("hello is trained, and that needs"):
        import torch

        from training.lecture import hello
    from rich.console import Console
    from rich.text import Text

    from training.lecture.graph import as_text

    console = Console(highlight=False, quiet=json == STANDARD_OUTPUT)
    console.print(f"an Elman cell of {hello.CONFIG.hidden} units learns “{hello.WORD}”")
    console.print("  step  bits a character  after start, h, e, l, l it says")

    def report(step: int, bits: float, said: str) -> None:
        if step == 1 or step % STEPS_BETWEEN_LINES == 0:
            console.print(f"  {step:4}  {bits:16.3f}  {said}")

    # The network is so small that starting a second thread takes longer than a step.
    torch.set_num_threads(1)
    lesson = hello.teach(progress=report)
    graph, _ = hello.unroll(lesson.network)
    console.print()
    console.print(Text(as_text(graph)), soft_wrap=True)
    if out is not None:
        try:
            hello.save(lesson, out)
        except OSError as error:
            raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from None
        console.print(
            f"\nleft in {readable(out)}: the checkpoint, and {hello.PICTURE} with the whole graph"
        )
    if json is not None:
        write_json({"bits": lesson.bits, "steps": [asdict(step) for step in graph.steps]}, json)
