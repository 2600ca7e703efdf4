"""The verb `units`: units of a trained network that follow a readable feature of a text."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import readable
from nextchar.errors import UsageError
from nextchar.extras import training_extra
from nextchar.options import CheckpointArgument, IncludeOption, JsonOption, TextsArgument
from nextchar.progress import progress_bar
from nextchar.reading import read_documents
from nextchar.writing import STANDARD_OUTPUT, check_target, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.text import Text

    from training.units.activations import Activations, Unit
    from training.units.search import FoundUnit

UNIT = re.compile(r"(\d+)\.([hc])(\d+)")


def units(
    checkpoint: CheckpointArgument,
    texts: TextsArgument,
    include: IncludeOption = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Find units only for this feature: line-length, indentation, quotes, brackets, "
            "comment, word or word-length; repeatable.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT", help="Show this unit instead, such as 0.c17: layer, h or c, number."
        ),
    ] = None,
    max_characters: Annotated[
        int, typer.Option(min=2, metavar="N", help="Take only the first N characters of each file.")
    ] = 3000,
    show: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show units along N characters of the text.")
    ] = 400,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw the units into this PNG file."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Find and show units that follow line length, quotes, indentation, brackets or words.

    A unit is chosen by its correlation with the feature over the first halves of the texts, and
    judged on the second halves. The longest text is shown from its middle on: red where the unit is
    near +1, blue where it is near -1.

    Example: nextchar units checkpoints/python setup.py --picture units.png
    """
    check_target(json)
    if picture is not None and (picture.suffix != ".png" or picture.is_dir()):
        raise UsageError(f"--picture: {picture} is no name for a picture; name a file FILE.png")
    from training.units.features import FEATURES

    for name in feature or ():
        if name not in FEATURES:
            raise UsageError(f"--feature: {name!r} is none of {', '.join(FEATURES)}")
    bodies = [body[:max_characters] for _, body in read_documents(texts, include)]
    with training_extra("reading single units needs"):
        import torch

        from training.units import activations
    from rich.console import Console
    from rich.table import Table

    from model.checkpoint import load
    from training.units.search import find

    loaded = load(checkpoint)
    torch.set_num_threads(1)
    with progress_bar("reading", sum(map(len, bodies))) as progress:
        readings = activations.read(loaded, bodies, progress)
    console = Console(highlight=False, quiet=json == STANDARD_OUTPUT)
    longest = max(range(len(bodies)), key=lambda number: len(bodies[number]))
    body, reading = bodies[longest], readings[longest]
    found: list[FoundUnit] = []
    if unit is None:
        found = find(readings, bodies, [FEATURES[name] for name in feature or FEATURES])
        table = Table("unit that follows", "unit", "correlation", "where it was chosen")
        for each in found:
            said = (FEATURES[each.feature].meaning, str(each.unit))
            table.add_row(*said, f"{each.held_out:+.3f}", f"{each.chosen:+.3f}")
        console.print(table)
        chosen = [(each.unit, FEATURES[each.feature].meaning) for each in found]
        # Show the second half, on which the choice was judged, from the beginning of a line.
        begin = body.find("\n", len(body) // 2) + 1 or len(body) // 2
    else:
        chosen = [(_unit(unit, reading), "as asked for")]
        begin = 0
    shown = body[begin : begin + show]
    along = {
        one: reading.values[begin : begin + show, reading.units.index(one)] for one, _ in chosen
    }
    for one, meaning in chosen if shown else ():
        console.print(f"\n[bold]{one}[/bold]: {meaning}")
        console.print(_coloured(shown, along[one]), soft_wrap=True)
    if picture is not None and shown:
        from training.units.picture import Panel, draw

        try:
            picture.parent.mkdir(parents=True, exist_ok=True)
            draw([Panel(f"{u}: {meaning}", shown, along[u]) for u, meaning in chosen], picture)
        except OSError as error:
            raise UsageError(f"--picture: {picture} cannot be written: {error.strerror}") from None
        console.print(f"\nwrote {readable(picture)}")
    if json is not None:
        figures = {"model": loaded.name, "characters": sum(map(len, bodies))}
        if unit is None:
            write_json(figures | {"units": [each.to_json() for each in found]}, json)
        else:
            values = along[chosen[0][0]].tolist()
            write_json(figures | {"unit": unit, "text": shown, "activations": values}, json)


def _unit(name: str, reading: "Activations") -> "Unit":
    from training.units.activations import Unit

    matched = UNIT.fullmatch(name)
    if matched:
        unit = Unit(int(matched[1]), matched[2], int(matched[3]))
        if unit in reading.units:
            return unit
    raise UsageError(
        f"--unit: {name!r} is no unit of this network; the first is {reading.units[0]}, "
        f"the last {reading.units[-1]}"
    )


def _coloured(text: str, activations: "NDArray[np.float32]") -> "Text":
    """The text on coloured backgrounds: blue at −1, white at 0, red at +1."""
    from rich.style import Style
    from rich.text import Text

    shown = Text()
    for character, activation in zip(text, activations, strict=True):
        fade = round(255 - 155 * abs(float(activation)))
        ground = (255, fade, fade) if activation > 0 else (fade, fade, 255)
        style = Style(color="black", bgcolor=f"rgb({','.join(map(str, ground))})")
        shown.append("↵" if character == "\n" else character, style)
        if character == "\n":
            shown.append("\n")
    return shown
