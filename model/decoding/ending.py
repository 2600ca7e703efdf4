"""Where a candidate ends by itself: at a line end, a stop string, a loop, what is behind it."""

from dataclasses import dataclass

from model.decoding.options import FinishReason, Options
from model.decoding.suffix import BLANKS, LINE_ENDS, Suffix, first_line, last_line

REPEATED = 24
"""A candidate that ends in copies of one piece, three or more, over this length is a loop."""
LONGEST_PIECE = 100


@dataclass(frozen=True)
class End:
    """Why a candidate ends, and how many of its characters stay.

    One that `repeats` has come to be the line that follows the cursor's, which is surely not what
    is missing; a beginning of it may be.
    """

    reason: FinishReason
    length: int
    stopped_by: str = ""
    repeats: bool = False


class Ending:
    """Tells of a candidate's text whether it ends, each time that a character has come.

    It is a function of the candidate's text, the options, and the text around the cursor.
    """

    def __init__(self, options: Options, before: str) -> None:
        """`before` is the text before the cursor, its last characters if it is longer."""
        self._options = options
        self._line = last_line(before)
        self._suffix = Suffix(options.suffix, before)

    def after(self, text: str) -> End | None:
        """The end of a candidate that has come to `text`, or None where it may go on."""
        last = text[-1]
        stopped = [stop for stop in self._options.stop if text.endswith(stop)]
        if stopped:
            longest = max(stopped, key=len)
            return End("stop", len(text) - len(longest), longest)
        if last in LINE_ENDS:
            return self._at_line_end(text)
        if self._options.max_lines > 1 and (end := self._fallen_back(text)):
            return end
        begins = self._suffix.begins(text)
        if begins is not None:
            return End("suffix", begins)
        if looped := repeated(text):
            return End("repetition", len(text) - looped)
        if len(text) >= self._options.max_chars:
            return End("max_chars", len(text))
        return None

    def overlap(self, text: str) -> int:
        """How many characters at a candidate's end may be what stands behind the cursor."""
        return self._suffix.overlap(text)

    def uncertain(self, text: str) -> int:
        """How many characters at the end of `text` may yet be taken back."""
        beginnings = (
            length
            for stop in self._options.stop
            for length in range(min(len(stop) - 1, len(text)), 0, -1)
            if text.endswith(stop[:length])
        )
        least = len(text) - max(0, *beginnings, _repeating(text), self._blank_end(text))
        begin, line = self._current_line(text)
        if self._suffix.may_repeat(line):
            least = min(least, trimmed(text[:begin]))
        # Wherever in this the end comes to be, what is behind the cursor may begin before it.
        return len(text) - min(n - self.overlap(text[:n]) for n in range(least, len(text) + 1))

    def _current_line(self, text: str) -> tuple[int, str]:
        """Where in a candidate its last line begins, and that line: the first is the cursor's."""
        begin = max(text.rfind(end) for end in LINE_ENDS) + 1
        return begin, text[begin:] if begin else self._line + text

    def _at_line_end(self, text: str) -> End | None:
        body = text[:-2] if text.endswith("\r\n") else text[:-1]
        begin, line = self._current_line(body)
        if self._suffix.repeats(line):
            return End("suffix", trimmed(body[:begin]), repeats=not begin)
        lines = text.count("\n") or 1
        if lines >= self._options.max_lines:
            return End("line_end", len(body))
        if len(text) >= self._options.max_chars:
            return End("max_chars", len(text))
        return None

    def _fallen_back(self, text: str) -> End | None:
        """The end before a line that is less indented than it should be, at its first character."""
        begin = text.rfind("\n") + 1
        if not begin or text[begin:].lstrip(BLANKS) != text[-1]:
            return None
        if _columns(text[begin:]) >= self._least_columns(text):
            return None
        return End("indentation", trimmed(text[:begin]))

    def _least_columns(self, text: str) -> int:
        if self._options.indent is not None:
            return self._options.indent
        return _columns(self._line + text[: text.find("\n")])

    def _blank_end(self, text: str) -> int:
        """How long a line end is behind which nothing but blanks has come, if it may go."""
        if self._options.max_lines == 1 or self._options.indent == 0:
            return 0
        return len(text) - trimmed(text)


def trimmed(text: str) -> int:
    """The length of a text without line ends that only blanks follow."""
    body = len(text.rstrip())
    return body + len(first_line(text[body:]))


def repeated(text: str) -> int:
    """How many characters at the end of a text only repeat the piece before them, or 0."""
    for unit in range(1, min(len(text) // 3, LONGEST_PIECE) + 1):
        if text[-1] != text[-1 - unit]:
            continue
        copies = max(3, -(-REPEATED // unit))
        length = copies * unit
        if length <= len(text) and text[-length:] == text[-unit:] * copies:
            return length - unit
    return 0


def _repeating(text: str) -> int:
    """How many characters at the end of a text repeat the ones before them, as a loop begins."""
    longest = 0
    for unit in range(1, min(len(text) - 1, LONGEST_PIECE) + 1):
        length = 0
        while length + unit < len(text) and text[-1 - length] == text[-1 - length - unit]:
            length += 1
        longest = max(longest, length)
    return longest


def _columns(line: str) -> int:
    """How far a line is indented; a tab goes to the next multiple of eight columns."""
    return len(line[: len(line) - len(line.lstrip(BLANKS))].expandtabs(8))
