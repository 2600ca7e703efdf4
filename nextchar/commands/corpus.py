"""The verb `corpus`: which files of a corpus are trained on, and which are held out."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from nextchar.options import (
    IncludeOption,
    MaximumOption,
    MinimumOption,
    SkipOption,
    TextsArgument,
)
from nextchar.reading import selection
from training.corpus import MOST_FILE_CHARACTERS, read


class Split(StrEnum):
    """The two sides of a corpus's split."""

    TRAIN = "train"
    VALIDATION = "validation"


def corpus(
    texts: TextsArgument,
    split: Annotated[
        Split, typer.Option("--split", metavar="SIDE", help="The side: train or validation.")
    ],
    include: IncludeOption = None,
    skip: SkipOption = None,
    minimum: MinimumOption = 1,
    maximum: MaximumOption = MOST_FILE_CHARACTERS,
) -> None:
    """List the files that `train` learns from, or those that it holds out, one on each line.

    One file in twenty is held out. Its path alone decides, so that every run holds out the same.

    Example: nextchar corpus src --split validation --include '*.py'
    """
    found = read(texts, selection(include, skip, minimum=minimum, maximum=maximum))
    for document in found.train if split is Split.TRAIN else found.validation:
        # The file's very bytes, because its name need not be UTF-8.
        typer.echo(os.fsencode(document.file))
