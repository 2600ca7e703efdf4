"""Tables that several verbs show: next characters, surprises, a text's score."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from training.evaluation.scoring import Score


def next_table(following: Iterable[tuple[str, float]]) -> Table:
    """Characters that may come next, with their probabilities."""
    table = Table("character", "probability", "bits")
    for character, probability in following:
        table.add_row(repr(character), f"{probability:.4f}", f"{-math.log2(probability):.2f}")
    return table


def surprise_table(text: str, bits: Sequence[float]) -> Table:
    """Every character of a text, with its probability and its surprise in bits."""
    table = Table("position", "character", "probability", "bits")
    for position, (character, surprise) in enumerate(zip(text, bits, strict=True)):
        table.add_row(str(position), repr(character), f"{2**-surprise:.4f}", f"{surprise:.2f}")
    return table


def score_table(score: "Score") -> Table:
    """The score of a whole text."""
    table = Table("figure", "value")
    table.add_row("characters", str(score.characters))
    table.add_row("log-probability", f"{score.log_probability:.3f}")
    table.add_row("bits a character", f"{score.bits_per_character:.4f}")
    table.add_row("perplexity a character", f"{score.perplexity:.3f}")
    return table
