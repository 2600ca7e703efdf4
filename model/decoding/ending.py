"""The rules by which a candidate ends: line ends, stop strings, indentation, the suffix, loops."""

from dataclasses import dataclass
from functools import cached_property

from model.decoding.options import FinishReason, Options
from model.decoding.suffix import BLANKS, LINE_ENDS, Suffix, first_line, last_line

# Three or more copies of one piece are a loop if they have at least this many characters together.
# Shorter repetitions occur in ordinary text.
LEAST_LOOP_CHARACTERS = 24
# Loops of longer pieces are not looked for, because each length is tried after every character.
LONGEST_LOOP_PIECE = 100


@dataclass(frozen=True)
class End:
    """Why a candidate ends, and how many of its characters stay.

    With `repeats` the candidate has become the same line as the one below the cursor's. The whole
    is wrong then, but a beginning of it may be right. With `at_suffix` the text behind the cursor
    began where the candidate ends, so that no character that stays belongs to that text.
    """

    reason: FinishReason
    length: int
    stopped_by: str = ""
    repeats: bool = False
    at_suffix: bool = False


class Ending:
    """Decides after each character of a candidate whether the candidate ends there.

    The decision depends only on the candidate's text, the options, and the text around the cursor.
    """

    def __init__(self, options: Options, before: str) -> None:
        """`before` is the text before the cursor, or its last CHARACTERS_BEFORE characters."""
        self._options = options
        self._line = last_line(before)
        self._suffix = Suffix(options.suffix, before)

    def after(self, text: str) -> End | None:
        """The end of a candidate that has just become `text`, or None if it goes on.

        The first rule that applies decides. If a rule takes back characters, `uncertain` must count
        them, or a stream would send characters that the answer does not have.
        """
        stopped = self._stop_string(text)
        if text[-1] in LINE_ENDS:
            return stopped or self._line_end(text)
        return (
            stopped
            or self._indentation(text)
            or self._suffix_begins(text)
            or self._loop(text)
            or self._full_length(text)
        )

    def overlap(self, text: str) -> int:
        """How many characters at a candidate's end may be the first ones behind the cursor."""
        return self._suffix.overlap(text)

    def uncertain(self, text: str) -> int:
        """How many characters at the end of `text` a rule may still take back."""
        least = len(text) - max(self._begun_stop(text), _repeating(text), self._blank_end(text))
        begin, line = self._current_line(text)
        if self._suffix.may_repeat(line):
            least = min(least, trimmed(text[:begin]))
        # The candidate can end at any length from `least` on. From each such end, characters that
        # may be the first ones behind the cursor are taken off.
        return len(text) - min(n - self.overlap(text[:n]) for n in range(least, len(text) + 1))

    def _stop_string(self, text: str) -> End | None:
        if not text.endswith(self._options.stop):
            return None
        longest = max(filter(text.endswith, self._options.stop), key=len)
        return End("stop", len(text) - len(longest), longest)

    def _begun_stop(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a stop string."""
        longest = max(map(len, self._options.stop), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if text[-n:] in self._begun_stops), 0)

    @cached_property
    def _begun_stops(self) -> frozenset[str]:
        """The beginnings of all stop strings.

        Each end of a text is looked up among them once, however many stop strings there are.
        """
        return frozenset(stop[:n] for stop in self._options.stop for n in range(1, len(stop)))

    def _line_end(self, text: str) -> End | None:
        body = text[:-2] if text.endswith("\r\n") else text[:-1]
        begin, line = self._current_line(body)
        if self._suffix.repeats(line):
            return End("suffix", trimmed(body[:begin]), repeats=not begin)
        # A "\r" is not counted, because it may belong to "\r\n". A text with only a "\r" still has
        # one line end.
        lines = text.count("\n") or 1
        if lines >= self._options.max_lines:
            return End("line_end", len(body))
        return self._full_length(text)

    def _indentation(self, text: str) -> End | None:
        """The end before a line that is indented too little, at its first visible character."""
        if self._options.max_lines == 1:
            return None
        begin = text.rfind("\n") + 1
        if not begin or text[begin:].lstrip(BLANKS) != text[-1]:
            return None
        if _columns(text[begin:]) >= self._least_columns(text):
            return None
        return End("indentation", trimmed(text[:begin]))

    def _suffix_begins(self, text: str) -> End | None:
        begins = self._suffix.begins(text)
        return None if begins is None else End("suffix", begins, at_suffix=True)

    def _loop(self, text: str) -> End | None:
        looped = repeated(text)
        return End("repetition", len(text) - looped) if looped else None

    def _full_length(self, text: str) -> End | None:
        return End("max_chars", len(text)) if len(text) >= self._options.max_chars else None

    def _current_line(self, text: str) -> tuple[int, str]:
        """Where a candidate's last line begins, and that line.

        The first line of a candidate continues the cursor's line, so it includes the text that the
        cursor's line has before the cursor.
        """
        begin = max(text.rfind(end) for end in LINE_ENDS) + 1
        return begin, text[begin:] if begin else self._line + text

    def _least_columns(self, text: str) -> int:
        if self._options.indent is not None:
            return self._options.indent
        return _columns(self._line + text[: text.find("\n")])

    def _blank_end(self, text: str) -> int:
        """How many characters at the end `_indentation` may trim: a line end and white space."""
        if self._options.max_lines == 1 or self._options.indent == 0:
            return 0
        return len(text) - trimmed(text)


def trimmed(text: str) -> int:
    """The length of a text without line ends that only white space follows."""
    body = len(text.rstrip())
    return body + len(first_line(text[body:]))


def repeated(text: str) -> int:
    """How many characters at the end of a text are a loop's copies of what precedes them, or 0."""
    if len(text) < LEAST_LOOP_CHARACTERS:
        return 0
    last = len(text) - 1
    first = last - min(len(text) // 3, LONGEST_LOOP_PIECE)
    # Only where the last character stands once more may a piece have begun.
    at = text.rfind(text[last], first, last)
    while at >= 0:
        unit = last - at
        copies = max(3, -(-LEAST_LOOP_CHARACTERS // unit))
        length = copies * unit
        if length <= len(text) and text[-length:] == text[-unit:] * copies:
            return length - unit
        at = text.rfind(text[last], first, at)
    return 0


def _repeating(text: str) -> int:
    """How many characters at the end of a text may turn out to be copies in a loop.

    That is the longest end of the text in which every character equals the one a piece earlier.
    """
    longest = 0
    for unit in range(1, min(len(text) - 1, LONGEST_LOOP_PIECE) + 1):
        length = 0
        while length + unit < len(text) and text[-1 - length] == text[-1 - length - unit]:
            length += 1
        longest = max(longest, length)
    return longest


def _columns(line: str) -> int:
    """How far a line is indented; a tab goes to the next multiple of eight columns."""
    return len(line[: len(line) - len(line.lstrip(BLANKS))].expandtabs(8))
