"""The text behind the cursor: where in a suggestion it begins, so that nothing is ever doubled."""

from model.decoding.options import BEFORE

LINE_ENDS = "\n\r"
OPENING = {")": "(", "]": "[", "}": "{"}
QUOTES = "\"'`"
BLANKS = " \t"
SHORT = 4
"""What is shorter stands in many places, so that finding it inside of brackets tells nothing."""


class Suffix:
    """What stands behind the cursor up to the end of its line, and how it bears on candidates.

    Editors put in the closing bracket or quote with the opening one. A candidate that closes what
    was opened before the cursor, and closes behind it, would close it twice, so it ends there; one
    that closes what it has opened itself does not.
    """

    def __init__(self, suffix: str, before: str) -> None:
        """`before` is the text before the cursor, its last BEFORE characters at least if it is
        longer."""
        line = first_line(suffix)
        self.line = line.rstrip()
        self._next = "" if self.line else next_line(suffix[len(line) :])
        self._before = before[-BEFORE:].rsplit("\n\n", 1)[-1]
        whole = len(before) < BEFORE and self._before == before
        self._closing = {kind: _unopened(self.line, kind) for kind in OPENING}
        # How many are open before the cursor; where not all of it is known, as many as close.
        self._open = {
            kind: max(unclosed(self._before, kind), 0 if whole else closing)
            for kind, closing in self._closing.items()
            if closing
        }
        quote = self.line[:1] if self.line[:1] in QUOTES else ""
        self._quote = quote if quote and last_line(before).count(quote) % 2 else ""
        self._first = self.line.lstrip()[:1]

    def begins(self, text: str) -> int | None:
        """Where in `text` what is behind the cursor begins, by its last character just come."""
        if not self.line:
            return None
        at = len(text) - 1
        last = text[at]
        if self._closing.get(last) and self._left_open(text[:at], last) <= self._closing[last]:
            return at
        if last == self._quote and text.count(last, 0, at) % 2 == 0:
            return at
        at = len(text) - len(self.line)
        if at >= 0 and text.endswith(self.line) and self._may_begin(text[:at]):
            return at
        return None

    def overlap(self, text: str) -> int:
        """How many characters at the end of `text` may be where what is behind it begins."""
        for length in range(min(len(text), len(self.line)), 0, -1):
            at = len(text) - length
            if text.endswith(self.line[:length]) and self._may_begin(text[:at]):
                return length
        return 0

    def repeats(self, line: str) -> bool:
        """Whether a whole line, blanks at its ends aside, is the one that follows the cursor's."""
        return bool(self._next) and line.strip() == self._next

    def may_repeat(self, line: str) -> bool:
        """Whether a line that has not ended may come to be the one that follows the cursor's."""
        return bool(self._next) and self._next.startswith(line.strip())

    def _left_open(self, text: str, kind: str) -> int:
        """How many brackets are open when the candidate has come to `text`."""
        return unclosed(text, kind, self._open[kind])

    def _may_begin(self, text: str) -> bool:
        """Whether what is behind the cursor may begin where a candidate has come to `text`."""
        if self._first in OPENING:
            return False
        if self._first in QUOTES and text.count(self._first) % 2:
            return False
        return len(self.line.strip()) >= SHORT or not any(unclosed(text, k) for k in OPENING)


def first_line(text: str) -> str:
    """A text up to its first line end."""
    for position, character in enumerate(text):
        if character in LINE_ENDS:
            return text[:position]
    return text


def last_line(text: str) -> str:
    """A text from its last line end on."""
    return text[max(text.rfind(end) for end in LINE_ENDS) + 1 :]


def next_line(text: str) -> str:
    """The first line of a text that is not blank, without the blanks at its ends."""
    line = text.lstrip()[:BEFORE]
    return first_line(line).rstrip()


def unclosed(text: str, kind: str, before: int = 0) -> int:
    """How many brackets that `kind` closes are open after a text, and `before` it."""
    count = before
    for character in text:
        if character == OPENING[kind]:
            count += 1
        elif character == kind:
            count = max(0, count - 1)
    return count


def _unopened(text: str, kind: str) -> int:
    """How many brackets a text closes that it has not opened."""
    count = least = 0
    for character in text:
        if character == OPENING[kind]:
            count += 1
        elif character == kind:
            count -= 1
            least = min(least, count)
    return -least
