"""The text behind the cursor: where a suggestion reaches it and must end."""

from model.decoding.options import CHARACTERS_BEFORE

LINE_ENDS = "\n\r"
OPENING = {")": "(", "]": "[", "}": "{"}
QUOTES = "\"'`"
BLANKS = " \t"
# Shorter texts are likely to occur by chance. Where a candidate that has open brackets comes to the
# same characters as such a text, they more likely belong inside its brackets.
LEAST_DISTINCT_CHARACTERS = 4


class Suffix:
    """The text behind the cursor up to the end of its line, and where candidates come to it.

    Editors insert the closing bracket or quote together with the opening one. So where a bracket
    was opened before the cursor and is closed behind it, a candidate ends before it would close
    the bracket a second time. It may close brackets that it has opened itself.
    """

    def __init__(self, suffix: str, before: str) -> None:
        """`before` is the text before the cursor, or at least its last CHARACTERS_BEFORE
        characters."""
        line = first_line(suffix)
        self.line = line.rstrip()
        # A candidate can only become the next line where nothing is left of the cursor's own.
        self._next = "" if self.line else next_line(suffix[len(line) :])
        # Brackets seldom stay open over a blank line, so counting begins after the last one.
        self._before = before[-CHARACTERS_BEFORE:].rsplit("\n\n", 1)[-1]
        whole = len(before) < CHARACTERS_BEFORE and self._before == before
        self._closing = {kind: _unopened(self.line, kind) for kind in OPENING}
        # How many brackets are open before the cursor. Where not all of the text before the cursor
        # was counted, at least as many are assumed to be open as the line behind it closes.
        self._open = {
            kind: max(unclosed(self._before, kind), 0 if whole else closing)
            for kind, closing in self._closing.items()
            if closing
        }
        # A quote is open if its line has an odd number of them before the cursor.
        quote = self.line[:1] if self.line[:1] in QUOTES else ""
        self._quote = quote if quote and last_line(before).count(quote) % 2 else ""
        self._first = self.line.lstrip()[:1]

    def begins(self, text: str) -> int | None:
        """Where in `text` the text behind the cursor begins, or None where it does not.

        Only a beginning that the last character of `text` completes is found. Callers ask after
        each character.
        """
        if not self.line:
            return None
        at = len(text) - 1
        last = text[at]
        # A closing bracket is the one behind the cursor if no more are open than that line closes.
        if self._closing.get(last) and self._left_open(text[:at], last) <= self._closing[last]:
            return at
        # A quote is the one behind the cursor unless the candidate has opened one of its own.
        if last == self._quote and text.count(last, 0, at) % 2 == 0:
            return at
        at = len(text) - len(self.line)
        if at >= 0 and text.endswith(self.line) and self._may_begin(text[:at]):
            return at
        return None

    def overlap(self, text: str) -> int:
        """How many characters at the end of `text` may be the first ones behind the cursor."""
        for length in range(min(len(text), len(self.line)), 0, -1):
            at = len(text) - length
            if text.endswith(self.line[:length]) and self._may_begin(text[:at]):
                return length
        return 0

    def repeats(self, line: str) -> bool:
        """Whether a whole line is the one below the cursor's, apart from blanks at both ends."""
        return bool(self._next) and line.strip() == self._next

    def may_repeat(self, line: str) -> bool:
        """Whether a line that has not ended yet may become the one below the cursor's."""
        return bool(self._next) and self._next.startswith(line.strip())

    def _left_open(self, text: str, kind: str) -> int:
        """How many brackets are open after `text`, including those opened before the cursor."""
        return unclosed(text, kind, self._open[kind])

    def _may_begin(self, text: str) -> bool:
        """Whether the text behind the cursor may begin after `text`."""
        # A closing bracket is not found by its text: `begins` counts the open brackets instead.
        if self._first in OPENING:
            return False
        if self._first in QUOTES and text.count(self._first) % 2:
            return False
        if len(self.line.strip()) >= LEAST_DISTINCT_CHARACTERS:
            return True
        return not any(unclosed(text, kind) for kind in OPENING)


def first_line(text: str) -> str:
    """A text up to its first line end, without it."""
    for position, character in enumerate(text):
        if character in LINE_ENDS:
            return text[:position]
    return text


def last_line(text: str) -> str:
    """A text from its last line end on, without it."""
    return text[max(text.rfind(end) for end in LINE_ENDS) + 1 :]


def next_line(text: str) -> str:
    """The first line of a text that is not blank, without the blanks at its ends."""
    line = text.lstrip()[:CHARACTERS_BEFORE]
    return first_line(line).rstrip()


def unclosed(text: str, kind: str, before: int = 0) -> int:
    """How many brackets are open after a text, if `before` were; `kind` is the closing bracket."""
    count = before
    for character in text:
        if character == OPENING[kind]:
            count += 1
        elif character == kind:
            count = max(0, count - 1)
    return count


def _unopened(text: str, kind: str) -> int:
    """How many brackets a text closes without having opened them; `kind` is the closing one."""
    count = least = 0
    for character in text:
        if character == OPENING[kind]:
            count += 1
        elif character == kind:
            count -= 1
            least = min(least, count)
    return -least
