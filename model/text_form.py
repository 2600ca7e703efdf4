"""The form of text that training reads, and the form that a document has.

A line ends in a line feed, in a carriage return with a line feed (Windows), or in a carriage return
(old Mac), and some files begin with a byte order mark. The network reads one form of them all: each
line end as a line feed, and no mark. Its answers are written in the document's own form again.

A text arrives in pieces, and a piece may end between a carriage return and its line feed. So the
return is read as a line end at once, and the line feed right after it as nothing. What is read of a
text is therefore always a beginning of what is read once the text goes on.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from model.decoding.options import CharProbability, Completion, Options

BYTE_ORDER_MARK = "\ufeff"
# The line ends that a place may have before it: "" where there is none.
LINE_ENDS = ("", "\n", "\r\n", "\r")

# What is not read, each with what stands before it: "" is the beginning of a document.
UNREAD = (("\r", "\n"), ("", BYTE_ORDER_MARK))

_LINE_END = re.compile("\r\n?|\n")


class Place(NamedTuple):
    """A place in a document, as far as the form of the text around it depends on it.

    `position` characters of the document stand before it, and training reads `read` of these. The
    last of them is a carriage return if `after_return`. `line_end` is the nearest line end before
    it, apart from that return, whose line feed may follow.
    """

    position: int = 0
    read: int = 0
    after_return: bool = False
    line_end: str = ""

    def form(self, text: str) -> str:
        """What training reads of a text that begins here."""
        if self.after_return:
            text = text.removeprefix("\n")
        if not self.position:
            text = text.removeprefix(BYTE_ORDER_MARK)
        return _with_line_feeds(text)

    def after(self, text: str) -> "Place":
        """The place at the end of a text that begins here."""
        if not text:
            return self
        position = self.position + len(text)
        read = self.read + len(text) - (not self.position and text[0] == BYTE_ORDER_MARK)
        if not self.after_return and "\r" not in text:
            return Place(position, read, False, "\n" if "\n" in text else self.line_end)
        whole = "\r" + text if self.after_return else text
        after_return = text[-1] == "\r"
        line_end = _last_line_end(whole[:-1] if after_return else whole) or self.line_end
        return Place(position, read - whole.count("\r\n"), after_return, line_end)

    def answers(self, options: Options) -> "AnswerForm":
        """The form of an answer here, to a client that has given these options.

        Line ends are written as the nearest one before the place, or as the first one behind it
        where there is none before.
        """
        line_end = self.line_end
        if not line_end:
            found = _LINE_END.search(("\r" if self.after_return else "") + options.suffix)
            line_end = found[0] if found else "\n"
        return AnswerForm(line_end, options.stop)

    def read_options(self, options: Options) -> Options:
        """A client's options as they are for the text that training reads."""
        suffix, stop = self.form(options.suffix), options.stop
        if any("\r" in text for text in stop):
            stop = tuple(dict.fromkeys(map(_with_line_feeds, stop)))
        if (suffix, stop) == (options.suffix, options.stop):
            return options
        return replace(options, suffix=suffix, stop=stop)


START = Place()


def training_form(text: str) -> str:
    """What training reads of a whole text."""
    return START.form(text)


@dataclass(frozen=True)
class AnswerForm:
    """How the answers at one place of a document are written.

    A line end is one character of an answer, with one probability, even where its text has two.
    `stop` are the client's stop strings, as it has sent them.
    """

    line_end: str = "\n"
    stop: tuple[str, ...] = ()

    @property
    def as_read(self) -> bool:
        """Whether answers are written as they are read, so that there is nothing to change."""
        return self.line_end == "\n" and not any("\r" in stop for stop in self.stop)

    def text(self, read: str) -> str:
        """A text in the document's form."""
        return read if self.line_end == "\n" else read.replace("\n", self.line_end)

    def chars(self, chars: Iterable[CharProbability]) -> tuple[CharProbability, ...]:
        """Characters of an answer in the document's form."""
        if self.line_end == "\n":
            return tuple(chars)
        return tuple(
            CharProbability(self.text(c.text), c.probability, self.following(c.top))
            if c.top or c.text == "\n"
            else c
            for c in chars
        )

    def following(self, characters: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
        """Characters that may come next, with their probabilities, in the document's form."""
        return tuple((self.text(character), given) for character, given in characters)

    def completion(self, completion: Completion) -> Completion:
        """A suggestion in the document's form, with the stop string as the client has it."""
        if self.as_read:
            return completion
        stopped_by = (s for s in self.stop if _with_line_feeds(s) == completion.stopped_by)
        return replace(
            completion, chars=self.chars(completion.chars), stopped_by=next(stopped_by, "")
        )

    def completions(self, completions: Sequence[Completion]) -> tuple[Completion, ...]:
        """Suggestions in the document's form."""
        return tuple(map(self.completion, completions))


def as_sent(text: str, read: Sequence[CharProbability]) -> tuple[CharProbability, ...]:
    """The characters of a whole text as it was sent, from those of its training form.

    One that is not read is certain: a byte order mark, or the line feed that belongs to the
    carriage return before it.
    """
    if len(text) == len(read) and "\r" not in text:
        return tuple(read)
    rest = iter(read)
    return tuple(
        CharProbability(character, 1.0)
        if (before, character) in UNREAD
        else replace(next(rest), text=character)
        for before, character in zip(("", *text), text, strict=False)
    )


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _last_line_end(text: str) -> str:
    """The last line end of a text, or "" where there is none."""
    last = max(text.rfind("\n"), text.rfind("\r"))
    if last < 0:
        return ""
    return "\r\n" if text.endswith("\r\n", 0, last + 1) else text[last]
