"""A page on its way to a sequence's text: read in parts, so that others can step in between."""

from model.adaptation import Cursor, Page, page_text
from model.adaptation.page import common_length


class PageReading:
    """Brings a page, whatever it holds, to what is read at the end of a text.

    Even where nothing lacks, one call of `read` is needed: the page may hold more than the text.
    """

    def __init__(self, page: Page, window: str, length: int, suffix: str) -> None:
        """The text has `length` characters and ends in its `window`; `suffix` follows it."""
        self.page = page
        self._text = page_text(window, length, suffix)
        self._read = common_length(page.text, self._text)

    @property
    def lacks(self) -> int:
        """How many characters are not on the page yet."""
        return len(self._text) - self._read

    def read(self, most: int) -> None:
        """Reads at most `most` more characters."""
        self._read += min(most, self.lacks)
        text = self._text[: self._read]
        # To follow a text makes the page's cursors stale, even where it is there already. Another
        # sequence may hold one at the end of the same text.
        if self.page.text != text:
            self.page.follow(text)

    def cursor(self) -> Cursor:
        """The place at the text's end, once nothing lacks."""
        return self.page.cursor()
