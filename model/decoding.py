"""Greedy decoding of one suggestion: when it ends, and how likely it is to be right as a whole."""

from dataclasses import dataclass
from typing import Literal

from model.vocabulary import Speller, Vocabulary

FinishReason = Literal[
    "line_end", "stop", "max_chars", "confidence", "suffix", "repetition", "invalid_bytes"
]

LINE_ENDS = "\n\r"
REPEATED = 24
"""A suggestion that ends in copies of one piece, three or more, over this length is a loop."""


@dataclass(frozen=True)
class Options:
    """Where a suggestion ends.

    `max_chars` is its longest length; `min_confidence` the least probability that the whole of it
    is right; `stop` holds strings before which it ends; `suffix` is the text after the cursor,
    whose line it does not repeat. Raises ValueError naming the field.
    """

    max_chars: int = 24
    min_confidence: float = 0.3
    stop: tuple[str, ...] = ()
    suffix: str = ""

    def __post_init__(self) -> None:
        if self.max_chars < 0:
            raise ValueError(f"max_chars: {self.max_chars} is below 0")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence: {self.min_confidence} is not between 0 and 1")
        if "" in self.stop:
            raise ValueError("stop: an empty string stops everything")


@dataclass(frozen=True)
class CharProbability:
    """One character of a suggestion, and its probability after all before it."""

    text: str
    probability: float


@dataclass(frozen=True)
class Completion:
    """A suggestion; `confidence` is the product of its characters' probabilities, 1 if empty."""

    chars: tuple[CharProbability, ...]
    finish_reason: FinishReason

    @property
    def text(self) -> str:
        return "".join(c.text for c in self.chars)

    @property
    def confidence(self) -> float:
        product = 1.0
        for char in self.chars:
            product *= char.probability
        return product


class Greedy:
    """One suggestion on its way: takes the network's choices, one id after another."""

    def __init__(self, vocabulary: Vocabulary, options: Options) -> None:
        self._options = options
        self._speller = Speller(vocabulary)
        self._line_after = _first_line(options.suffix)
        self._chars: list[CharProbability] = []
        self._text = ""
        self._confidence = 1.0
        self._pending = 1.0
        self.finish_reason: FinishReason | None = "max_chars" if options.max_chars == 0 else None

    def push(self, index: int, probability: float) -> bool:
        """Takes the most probable id after all before it; whether decoding should go on.

        Where it should, the caller steps the state by this id and comes back with the next one.
        """
        if self.finish_reason is None:
            self._pending *= float(probability)
            character = self._speller.push(index)
            if character is None:
                self.finish_reason = "invalid_bytes"
            elif self._confidence * self._pending < self._options.min_confidence:
                self.finish_reason = "confidence"
            elif character and character in LINE_ENDS:
                self.finish_reason = "line_end"
            elif character:
                self._append(character)
        return self.finish_reason is None

    def completion(self) -> Completion:
        """The suggestion as far as it has come, without what already stands after the cursor."""
        reason = self.finish_reason or "max_chars"
        for length in range(min(len(self._text), len(self._line_after)), 0, -1):
            if self._text.endswith(self._line_after[:length]):
                return Completion(tuple(self._chars[:-length]), "suffix")
        return Completion(tuple(self._chars), reason)

    def _append(self, character: str) -> None:
        self._chars.append(CharProbability(character, self._pending))
        self._text += character
        self._confidence *= self._pending
        self._pending = 1.0
        stopped = [s for s in self._options.stop if self._text.endswith(s)]
        if stopped:
            self._cut(max(map(len, stopped)), "stop")
        elif self._line_after and self._text.endswith(self._line_after):
            self.finish_reason = "suffix"
        elif repeated := _repeated(self._text):
            self._cut(repeated, "repetition")
        elif len(self._text) >= self._options.max_chars:
            self.finish_reason = "max_chars"

    def _cut(self, length: int, reason: FinishReason) -> None:
        del self._chars[len(self._chars) - length :]
        self._text = self._text[: len(self._text) - length]
        self.finish_reason = reason


def _first_line(suffix: str) -> str:
    """What stands between the cursor and the end of its line, without trailing blanks."""
    for position, character in enumerate(suffix):
        if character in LINE_ENDS:
            return suffix[:position].rstrip()
    return suffix.rstrip()


def _repeated(text: str) -> int:
    """How many characters at the end of a text only repeat the piece before them, or 0."""
    for unit in range(1, len(text) // 3 + 1):
        copies = -(-REPEATED // unit)
        length = max(3, copies) * unit
        if length <= len(text) and text[-length:] == text[-unit:] * (length // unit):
            return length - unit
    return 0
