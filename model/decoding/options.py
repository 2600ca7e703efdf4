"""What decoding is asked for, and what it returns: options, a suggestion, and why it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
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

# How many characters before the cursor may decide where a suggestion ends: they hold the open
# brackets and the indentation of the cursor's line. The whole text decides what a suggestion says.
CHARACTERS_BEFORE = 1024

# Each alternative takes a slot in a pool of states, and pools have room for this many.
MOST_ALTERNATIVES = 16
MOST_LINES = 1000


@dataclass(frozen=True)
class Bounds:
    """The numbers that an option may have: from `least` to `most`, both included.

    With `above`, `least` itself is excluded.
    """

    least: int
    most: float = inf
    above: bool = False

    def check(self, option: str, value: float) -> None:
        """Raises ValueError, naming the option, for a value out of bounds, or for NaN."""
        # NaN fails every comparison, so the test asks what holds, not what is violated.
        if not self.least <= value <= self.most or (self.above and value == self.least):
            raise ValueError(f"{option}: {value} is not {self}")

    def __str__(self) -> str:
        if self.above:
            return f"above {self.least} and at most {self.most}"
        if self.most == inf:
            return f"at least {self.least}"
        return f"between {self.least} and {self.most}"


# The bounds of every option that is a number. Whatever takes options from outside reads them here.
BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        "max_chars": Bounds(0),
        "min_confidence": Bounds(0, 1),
        "n": Bounds(1, MOST_ALTERNATIVES),
        "max_lines": Bounds(1, MOST_LINES),
        "indent": Bounds(0),
        "temperature": Bounds(0, 100),
        "top_k": Bounds(0),
        "min_p": Bounds(0, 1),
        "top_p": Bounds(0, 1, above=True),
        "seed": Bounds(0, 2**64 - 1),
        "top_each": Bounds(0, 20),
    }
)


@dataclass(frozen=True)
class Options:
    """What to suggest, and where it ends.

    A suggestion has at most `max_chars` characters and `max_lines` lines. It ends before any of the
    strings `stop`, and does not repeat the beginning of `suffix`, the text after the cursor. Its
    further lines are indented by at least `indent` columns; where that is None, at least as far as
    the cursor's line. The calibrated probability that all of it is right is at least
    `min_confidence`, unless the `trigger` is manual. It is cut where the most keys are saved,
    unless `by_value` is false.

    At `temperature` 0 the suggestion is the most probable one, step by step, and a beam finds the
    alternatives where `n` is above 1. Above 0, `n` suggestions are drawn with `seed` from the ids
    that `top_k` (0 keeps all), `top_p` and `min_p` leave. For each character of a suggestion the
    `top_each` most probable ones in its place are listed.

    Raises ValueError, naming the field.
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
        for option, bounds in BOUNDS.items():
            value = getattr(self, option)
            if value is not None:
                bounds.check(option, value)
        if "" in self.stop:
            raise ValueError("stop: an empty string stops everything")
        if self.trigger not in ("automatic", "manual"):
            raise ValueError(f"trigger: {self.trigger!r} is neither automatic nor manual")

    @property
    def least_confidence(self) -> float:
        """The least probability that the whole of a suggestion is right."""
        return self.min_confidence if self.trigger == "automatic" else 0.0


@dataclass(frozen=True)
class CharProbability:
    """One character of a suggestion, and its probability given everything before it.

    `top` lists the most probable characters in its place, where they were asked for.
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
