"""One candidate as it grows: takes ids one after another, and is cut where the most keys are saved.

A candidate grows as far as the rules of ending.py let it. How much of it is shown is decided at the
end, so the text of a candidate is often longer than its completion.
"""

from __future__ import annotations

from copy import copy
from itertools import takewhile

from model.calibration import Calibration
from model.decoding.ending import End, Ending, trimmed
from model.decoding.expected_saving import best_length
from model.decoding.next_step import NextStep, next_characters
from model.decoding.options import CharProbability, Completion, FinishReason, Options
from model.vocabulary import Speller, Vocabulary

# A candidate that is cut by value is followed while it is at least this probable. Characters beyond
# are right so rarely that showing them saves next to nothing.
LEAST_FOLLOWED_PROBABILITY = 0.02


class Rules:
    """What all candidates of one request share: the options, and what they mean at this cursor."""

    def __init__(
        self, vocabulary: Vocabulary, options: Options, calibration: Calibration, before: str = ""
    ) -> None:
        """`before` is the text before the cursor, or its last CHARACTERS_BEFORE characters."""
        self.vocabulary = vocabulary
        self.options = options
        self.calibration = calibration
        self.ending = Ending(options, before)


class Candidate:
    """The characters so far, how probable they are together, and why they ended.

    `right[L]` is the probability that the first L characters are right. `from_here` is the
    probability of what the candidate was given to begin with, such as its first id after a manual
    trigger: how far the candidate is followed is measured against it.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._speller = Speller(rules.vocabulary)
        self.chars: list[CharProbability] = []
        self.text = ""
        self.right = [1.0]
        # The probability of the bytes that do not make a character yet.
        self._pending = 1.0
        self._top: tuple[tuple[str, float], ...] = ()
        self._stopped_by = ""
        self.from_here = 1.0
        self.finish_reason: FinishReason | None = None
        if rules.options.max_chars == 0:
            self.finish_reason = "max_chars"

    @property
    def probability(self) -> float:
        """The probability of all ids so far."""
        return self.right[-1] * self._pending

    def fork(self) -> Candidate:
        """Another candidate that begins with the same characters."""
        other = copy(self)
        other._speller = copy(self._speller)
        other.chars, other.right = list(self.chars), list(self.right)
        return other

    def choose(self, next_step: NextStep, index: int) -> bool:
        """Takes an id that may come at `next_step`; returns whether the candidate goes on."""
        given = next_step.distribution
        if self._rules.options.top_each and self._speller.complete:
            assert given is not None
            self._top = next_characters(self._rules.vocabulary, given, self._rules.options.top_each)
        if index == next_step.id:
            return self.push(index, next_step.probability)
        assert given is not None
        return self.push(index, float(given[index]))

    def push(self, index: int, probability: float) -> bool:
        """Takes the next id, whose probability is given what precedes it.

        Returns whether the candidate goes on. One that has ended takes nothing more.
        """
        if self.finish_reason is None:
            self._pending *= float(probability)
            character = self._speller.push(index)
            reason = self._too_unlikely(self.right[-1] * self._pending)
            if character is None:
                self.finish_reason = "invalid_bytes"
            elif reason is not None:
                self.finish_reason = reason
            elif character:
                self._append(character)
        return self.finish_reason is None

    def end(self) -> None:
        """Ends the candidate where it is, because its time is over."""
        if self.finish_reason is None:
            self.finish_reason = "time"

    @property
    def certain(self) -> int:
        """How many characters are sure to be shown, however the candidate goes on."""
        if self.finish_reason is not None:
            return len(self.completion().chars)
        certain = len(self.text) - self._rules.ending.uncertain(self.text) if self.text else 0
        if self._rules.options.by_value:
            # Later characters may still move the cut to any place after the first character. Not
            # even white space in that place is certain, because line ends at a cut are trimmed.
            return min(certain, 0 if self.text[:1].isspace() else 1)
        return certain

    def length(self, shortest: int = 1) -> int:
        """How many characters to show: at least `shortest`, where the candidate is that long."""
        length = len(self.text) - self._rules.ending.overlap(self.text)
        if self._rules.options.by_value and length >= shortest:
            length = best_length(self.text[:length], self.right, shortest)
            length = trimmed(self.text[:length])
        return length

    def completion(self, length: int | None = None) -> Completion:
        """The candidate as it is shown, or its first `length` characters."""
        if length is None:
            length = self.length()
        reason = self.finish_reason or "max_chars"
        if length < len(self.text):
            # The rule that ended the whole candidate has not ended what is shown of it: either the
            # text behind the cursor begins at the cut, or the cut is by value.
            behind = len(self.text) - self._rules.ending.overlap(self.text)
            reason = "suffix" if length == behind else "value"
        return Completion(
            tuple(self.chars[:length]),
            self._rules.calibration(self.right[length]) if length else 1.0,
            reason,
            self._stopped_by if reason == "stop" else "",
        )

    def _enough(self, right: float) -> bool:
        """Whether characters that are right with this probability may be shown."""
        return self._rules.calibration(right) >= self._rules.options.least_confidence

    def _too_unlikely(self, right: float) -> FinishReason | None:
        options = self._rules.options
        if not self._enough(right):
            return "confidence"
        if options.by_value and right < LEAST_FOLLOWED_PROBABILITY * self.from_here and self.chars:
            return "value"
        return None

    def _append(self, character: str) -> None:
        self.chars.append(CharProbability(character, self._pending, self._top))
        self.text += character
        self.right.append(self.right[-1] * self._pending)
        self._pending = 1.0
        if end := self._rules.ending.after(self.text):
            self._finish(self._beginning() if end.repeats else end)

    def _beginning(self) -> End:
        """The end of a candidate that has become the line below the cursor's.

        All of it together is wrong, for nobody types a line that is already there. A beginning of
        it may still be right, so each gets its probability under the condition that not all of it
        comes: P(beginning | not all) = (P(beginning) − P(all)) ÷ (1 − P(all)). What is likely
        enough even so is kept.
        """
        every = self.right[-1]
        # Without cuts by value there is no shorter candidate, and a candidate that is certain as a
        # whole leaves no probability to its beginnings.
        if not self._rules.options.by_value or every == 1:
            return End("suffix", 0)
        self.right = [(right - every) / (1 - every) for right in self.right]
        shorter = self.right[1 : len(self.text.rstrip())]
        likely = list(takewhile(lambda right: right > 0 and self._enough(right), shorter))
        return End("confidence", len(likely)) if likely else End("suffix", 0)

    def _finish(self, end: End) -> None:
        del self.chars[end.length :]
        del self.right[end.length + 1 :]
        self.text = self.text[: end.length]
        self.finish_reason = end.reason
        self._stopped_by = end.stopped_by
