"""The rules by which a candidate ends: line ends, stop strings, indentation, the suffix, loops."""

from dataclasses import dataclass

from model.decoding.options import FinishReason, Options
from model.decoding.suffix import BLANKS, LINE_ENDS, Suffix, first_line, last_line

# Three or more copies of one piece, of at least this many characters together, are a loop. Shorter
# repetitions stand in ordinary text.
LEAST_LOOP_CHARACTERS = 24
# Longer pieces are not looked for, because each length is tried at every character.
LONGEST_LOOP_PIECE = 100


@dataclass(frozen=True)
class End:
    """Why a candidate ends, and how many of its characters stay.

    With `repeats` the candidate has become the line below the cursor's. As a whole it is wrong
    then, but a beginning of it may be right.
    """

    reason: FinishReason
    length: int
    stopped_by: str = ""
    repeats: bool = False


class Ending:
    """Decides, for each character that a candidate takes, whether the candidate ends there.

    The decision depends on the candidate's text, the options, and the text around the cursor alone.
    """

    def __init__(self, options: Options, before: str) -> None:
        """`before` is the text before the cursor, or its last CHARACTERS_BEFORE characters."""
        self._options = options
        self._line = last_line(before)
        self._suffix = Suffix(options.suffix, before)

    def after(self, text: str) -> End | None:
        """The end of a candidate whose last character makes it `text`, or None if it goes on.

        The first rule that applies decides. A rule that takes back characters must count them in
        `uncertain`, too, or a stream would send what the answer does not have.
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
        """How many characters at a candidate's end may be what stands behind the cursor."""
        return self._suffix.overlap(text)

    def uncertain(self, text: str) -> int:
        """How many characters at the end of `text` a rule may still take back."""
        begun_stops = (
            length
            for stop in self._options.stop
            for length in range(min(len(stop) - 1, len(text)), 0, -1)
            if text.endswith(stop[:length])
        )
        least = len(text) - max(0, *begun_stops, _repeating(text), self._blank_end(text))
        begin, line = self._current_line(text)
        if self._suffix.may_repeat(line):
            least = min(least, trimmed(text[:begin]))
        # The end can come at any length from `least` on, and the text behind the cursor may begin
        # before each of them.
        return len(text) - min(n - self.overlap(text[:n]) for n in range(least, len(text) + 1))

    def _stop_string(self, text: str) -> End | None:
        stopped = [stop for stop in self._options.stop if text.endswith(stop)]
        if not stopped:
            return None
        longest = max(stopped, key=len)
        return End("stop", len(text) - len(longest), longest)

    def _line_end(self, text: str) -> End | None:
        body = text[:-2] if text.endswith("\r\n") else text[:-1]
        begin, line = self._current_line(body)
        if self._suffix.repeats(line):
            return End("suffix", trimmed(body[:begin]), repeats=not begin)
        # A "\r" is not counted, because it may belong to "\r\n"; one alone still ends a first line.
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
        return None if begins is None else End("suffix", begins)

    def _loop(self, text: str) -> End | None:
        looped = repeated(text)
        return End("repetition", len(text) - looped) if looped else None

    def _full_length(self, text: str) -> End | None:
        return End("max_chars", len(text)) if len(text) >= self._options.max_chars else None

    def _current_line(self, text: str) -> tuple[int, str]:
        """Where a candidate's last line begins, and that line.

        The first line of a candidate continues the cursor's, so it has the text before the cursor.
        """
        begin = max(text.rfind(end) for end in LINE_ENDS) + 1
        return begin, text[begin:] if begin else self._line + text

    def _least_columns(self, text: str) -> int:
        if self._options.indent is not None:
            return self._options.indent
        return _columns(self._line + text[: text.find("\n")])

    def _blank_end(self, text: str) -> int:
        """How many characters at the end are a line end with blanks, which `_indentation` trims."""
        if self._options.max_lines == 1 or self._options.indent == 0:
            return 0
        return len(text) - trimmed(text)


def trimmed(text: str) -> int:
    """The length of a text without line ends that only blanks follow."""
    body = len(text.rstrip())
    return body + len(first_line(text[body:]))


def repeated(text: str) -> int:
    """How many characters at the end of a text only repeat the piece before them, or 0."""
    for unit in range(1, min(len(text) // 3, LONGEST_LOOP_PIECE) + 1):
        # Most pieces differ in their last character already, which is far cheaper to compare.
        if text[-1] != text[-1 - unit]:
            continue
        copies = max(3, -(-LEAST_LOOP_CHARACTERS // unit))
        length = copies * unit
        if length <= len(text) and text[-length:] == text[-unit:] * copies:
            return length - unit
    return 0


def _repeating(text: str) -> int:
    """How many characters at the end of a text may turn out to be copies in a loop.

    That is the longest end of the text which equals the characters one piece before it.
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
