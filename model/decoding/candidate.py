"""One candidate: it grows by one id after another, and is cut where the most keys are saved.

A candidate grows until a rule of ending.py or its low probability ends it. How much of it is shown
is decided after that, so the text of a candidate is often longer than its completion.
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

# A candidate that is cut by value is followed while its probability is at least this share of
# `from_here`. Later characters are right so rarely that showing them saves next to nothing.
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
    """The characters so far, how probable they are together, and why the candidate ended.

    `right[L]` is the probability that the first L characters are right. `from_here` is the
    probability of the ids that the candidate was started with, such as its first id after a manual
    trigger. Whether it is followed further depends on how much less probable it has become since.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._speller = Speller(rules.vocabulary)
        self.chars: list[CharProbability] = []
        self.text = ""
        self.right = [1.0]
        # The probability of the bytes so far that do not make a whole character yet.
        self._pending = 1.0
        self._top: tuple[tuple[str, float], ...] = ()
        self._stopped_by = ""
        self._at_suffix = False
        self.from_here = 1.0
        self.finish_reason: FinishReason | None = None
        if rules.options.max_chars == 0:
            self.finish_reason = "max_chars"

    @property
    def probability(self) -> float:
        """The probability of all ids so far."""
        return self.right[-1] * self._pending

    def fork(self) -> Candidate:
        """A copy that can go on with other ids."""
        other = copy(self)
        other._speller = copy(self._speller)
        other.chars, other.right = list(self.chars), list(self.right)
        return other

    def choose(self, next_step: NextStep, index: int) -> bool:
        """Takes the id chosen at `next_step`; returns whether the candidate goes on."""
        given = next_step.distribution
        if self._rules.options.top_each and self._speller.complete:
            assert given is not None
            self._top = next_characters(self._rules.vocabulary, given, self._rules.options.top_each)
        if index == next_step.id:
            return self.push(index, next_step.probability)
        assert given is not None
        return self.push(index, float(given[index]))

    def push(self, index: int, probability: float) -> bool:
        """Takes the next id, with its probability given all ids before it.

        Returns whether the candidate goes on. A candidate that has ended takes no more ids.
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
        """Ends the candidate where it is, because the time for decoding is over."""
        if self.finish_reason is None:
            self.finish_reason = "time"

    @property
    def certain(self) -> int:
        """How many characters are sure to be shown, however the candidate goes on."""
        if self.finish_reason is not None:
            return len(self.completion().chars)
        certain = len(self.text) - self._rules.ending.uncertain(self.text) if self.text else 0
        if self._rules.options.by_value:
            # Later characters may still move the cut to any place after the first character. If
            # that character is white space, not even it is certain: line ends at a cut are trimmed.
            return min(certain, 0 if self.text[:1].isspace() else 1)
        return certain

    def length(self, shortest: int = 1) -> int:
        """How many characters to show.

        A cut by value leaves at least `shortest`, before line ends at the cut are trimmed.
        """
        length = self._before_suffix
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
            # What ended the whole candidate did not end the part that is shown: either the text
            # behind the cursor begins at the cut, or the cut is by value.
            reason = "suffix" if length == self._before_suffix else "value"
        return Completion(
            tuple(self.chars[:length]),
            self._rules.calibration(self.right[length]) if length else 1.0,
            reason,
            self._stopped_by if reason == "stop" else "",
        )

    @property
    def _before_suffix(self) -> int:
        """How many characters stand before what may be the beginning of the text behind the cursor.

        A candidate that ended where that text begins is cut there already. To cut it again would
        take back characters that a stream has sent.
        """
        if self._at_suffix:
            return len(self.text)
        return len(self.text) - self._rules.ending.overlap(self.text)

    def _enough(self, right: float) -> bool:
        """Whether characters that are right with this raw probability may be shown."""
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
        """The end of a candidate that has become the same line as the one below the cursor's.

        The whole line is wrong, because nobody types a line that is already there. A beginning of
        the line may still be right. So each beginning gets its probability under the condition that
        the whole does not come: P(beginning | not whole) = (P(beginning) − P(whole)) ÷
        (1 − P(whole)). The beginnings that are still probable enough are kept.
        """
        whole = self.right[-1]
        # Without cuts by value no shorter part may be shown. A whole of probability 1 leaves none
        # to its beginnings.
        if not self._rules.options.by_value or whole == 1:
            return End("suffix", 0)
        self.right = [(right - whole) / (1 - whole) for right in self.right]
        shorter = self.right[1 : len(self.text.rstrip())]
        likely = list(takewhile(lambda right: right > 0 and self._enough(right), shorter))
        return End("confidence", len(likely)) if likely else End("suffix", 0)

    def _finish(self, end: End) -> None:
        del self.chars[end.length :]
        del self.right[end.length + 1 :]
        self.text = self.text[: end.length]
        self.finish_reason = end.reason
        self._stopped_by = end.stopped_by
        self._at_suffix = end.at_suffix
