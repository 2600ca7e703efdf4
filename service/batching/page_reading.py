"""Reads a sequence's text onto its page in parts, so that other sequences can step in between."""

from model.adaptation import Cursor, Page, page_text
from model.adaptation.page import common_length


class PageReading:
    """Brings a page, whatever it holds, to the text that suggestions are adapted to.

    `read` must be called at least once, even if `missing` is 0: the page may hold more than the
    text.
    """

    def __init__(self, page: Page, window: str, length: int, suffix: str) -> None:
        """The text has `length` characters and ends in its `window`; `suffix` follows it."""
        self.page = page
        self._text = page_text(window, length, suffix)
        self._read = common_length(page.text, self._text)

    @property
    def missing(self) -> int:
        """How many characters are not on the page yet."""
        return len(self._text) - self._read

    def read(self, most: int) -> None:
        """Reads at most `most` more characters."""
        self._read += min(most, self.missing)
        text = self._text[: self._read]
        # `follow` makes all cursors of the page stale, even if the page holds this text already.
        # Another sequence may hold such a cursor, so `follow` is called only where it is needed.
        if self.page.text != text:
            self.page.follow(text)

    def cursor(self) -> Cursor:
        """The cursor at the end of the text, once nothing is missing."""
        return self.page.cursor()
