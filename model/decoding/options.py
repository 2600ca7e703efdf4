"""What is asked of decoding, and what comes out: options, a suggestion, and why it ended."""

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal[
    "line_end",
    "stop",
    "max_chars",
    "confidence",
    "value",
    "suffix",
    "indentation",
    "repetition",
    "invalid_bytes",
    "time",
]

BEFORE = 1024
"""So many characters before the cursor may bear on where a suggestion ends: its line's indentation
and brackets. What a suggestion says depends on the whole text."""

MOST_ALTERNATIVES = 16
MOST_LINES = 1000
MOST_EACH = 20


@dataclass(frozen=True)
class Options:
    """What to suggest, and where it ends.

    A suggestion has at most `max_chars` characters and `max_lines` lines, ends before any of the
    strings `stop`, and does not repeat what `suffix`, the text after the cursor, begins with. Its
    further lines are indented by `indent` columns at least, or as far as the cursor's line where
    that is None. It is as probable as `min_confidence`, unless the `trigger` is manual, and cut
    where most keys are saved, unless `by_value` is false.

    At `temperature` 0 the suggestion is the most probable one, step by step, and `n` > 1 adds
    alternatives by a beam; above it, `n` are drawn, from the ids that `top_k` (0 is all), `top_p`
    and `min_p` leave, as `seed` says. `top_each` lists so many characters at each place.

    Raises ValueError naming the field.
    """

    max_chars: int = 24
    min_confidence: float = 0.05
    stop: tuple[str, ...] = ()
    suffix: str = ""
    n: int = 1
    max_lines: int = 1
    indent: int | None = None
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    trigger: Literal["automatic", "manual"] = "automatic"
    by_value: bool = True
    top_each: int = 0

    def __post_init__(self) -> None:
        _between("max_chars", self.max_chars, 0, float("inf"))
        _between("min_confidence", self.min_confidence, 0, 1)
        if "" in self.stop:
            raise ValueError("stop: an empty string stops everything")
        _between("n", self.n, 1, MOST_ALTERNATIVES)
        _between("max_lines", self.max_lines, 1, MOST_LINES)
        _between("indent", self.indent or 0, 0, float("inf"))
        _between("temperature", self.temperature, 0, 100)
        _between("top_k", self.top_k, 0, float("inf"))
        _between("min_p", self.min_p, 0, 1)
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p} is not above 0 and at most 1")
        _between("seed", self.seed, 0, 2**64 - 1)
        if self.trigger not in ("automatic", "manual"):
            raise ValueError(f"trigger: {self.trigger!r} is neither automatic nor manual")
        _between("top_each", self.top_each, 0, MOST_EACH)

    @property
    def least_confidence(self) -> float:
        """The least probability that the whole of a suggestion is right."""
        return self.min_confidence if self.trigger == "automatic" else 0.0


@dataclass(frozen=True)
class CharProbability:
    """One character of a suggestion, and its probability after all before it.

    `top` lists the most probable characters at its place, where they were asked for.
    """

    text: str
    probability: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Completion:
    """A suggestion; `confidence` is the probability that all of it is right, 1 if it is empty.

    `stopped_by` is the stop string that ended it.
    """

    chars: tuple[CharProbability, ...]
    confidence: float
    finish_reason: FinishReason
    stopped_by: str = ""

    @property
    def text(self) -> str:
        return "".join(c.text for c in self.chars)


def _between(field: str, value: float, least: float, most: float) -> None:
    # Not a number lies nowhere.
    if not least <= value <= most:
        bounds = f"at least {least}" if most == float("inf") else f"between {least} and {most}"
        raise ValueError(f"{field}: {value} is not {bounds}")
