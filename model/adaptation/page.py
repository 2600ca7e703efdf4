"""A session's page: the window of its text, indexed, and cursors that go on from its end."""

from sys import getsizeof
from typing import Any, Final, NamedTuple

from model.adaptation.engine import Cursor, Engine
from model.adaptation.index import LIMIT, Ids, Index
from model.vocabulary import Vocabulary

# Windows begin at multiples of this many characters. So while a text is typed, its window moves
# only now and then. Between these moves the page reads only new characters.
WINDOW_BLOCK: Final = 2048
# The most blocks that a window may reach into.
WINDOW_BLOCKS: Final = LIMIT // WINDOW_BLOCK


def window_start(length: int) -> int:
    """Where the window of a text of `length` characters begins: at a multiple of WINDOW_BLOCK.

    The window holds the last 8,192 to 10,239 characters, or all of a shorter text.
    """
    return max(0, length // WINDOW_BLOCK - (WINDOW_BLOCKS - 1)) * WINDOW_BLOCK


def page_text(window: str, length: int, suffix: str) -> str:
    """What a page reads at a cursor: the lines below it, then as much of the window as still fits.

    The text before the cursor has `length` characters and ends in `window`. The lines are those of
    `suffix` after the cursor's own line, because they stay the same while that line is typed.
    """
    begin = suffix.find("\n") + 1
    lines = suffix[begin : begin + WINDOW_BLOCK - 1] if begin else ""
    if not lines:
        return window
    left_out = window_start(length + len(lines) + 1) - window_start(length)
    return f"{lines}\n{window[left_out:]}"


class PageChange(NamedTuple):
    """What brings an index to another text: keep its first `length` ids, or all, and read `ids`.

    `characters` is how many characters these ids spell.
    """

    length: int | None
    ids: Ids
    characters: int


class Page:
    """The window of one text, in which contexts are found again; for one thread at a time.

    What a page holds depends only on the text that it was last brought to, not on earlier texts.
    """

    def __init__(self, engine: Engine[Any, Any], vocabulary: Vocabulary) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._text = ""
        # The text has `_count` ids, of which the index holds those from `_begin` on.
        self._count = self._begin = 0
        self._index: Index = engine.index()

    @property
    def text(self) -> str:
        """The window's text."""
        return self._text

    @property
    def nbytes(self) -> int:
        """The bytes of memory that the page holds, including its text."""
        return self._index.nbytes + getsizeof(self._text)

    @property
    def index(self) -> Index:
        """The index of the text's ids, or of the last ones where the text has more than LIMIT."""
        return self._index

    def follow(self, text: str) -> int:
        """Brings the page to a window's text, and returns how many characters it had to read.

        Raises TextError for a text that the vocabulary cannot spell; the page then stays as it is.
        """
        change = self.change(text)
        if change.length is not None:
            self._index.truncate(change.length)
        self._index.absorb(change.ids)
        return change.characters

    def change(self, text: str) -> PageChange:
        """What brings the page's index to a window's text; the index has room for it.

        The page counts as being at that text at once. So the caller must make the change before the
        page is used again, or drop the page. Where the text has a beginning in common with the one
        before, the rest of the earlier text is taken back and only the rest of the new one is read.
        Raises TextError for a text that the vocabulary cannot spell; the page then stays as it is.
        """
        kept = common_length(self._text, text)
        remaining = self._count - self._ids_after(kept)
        new = self._vocabulary.encode(text[kept:])
        count = remaining + len(new)
        begin = window_start(count)
        length = remaining - begin if remaining < self._count else None
        # Taking ids back costs about as much as reading them. So when more than half of them would
        # go, reading the text into a new index is faster.
        if begin != self._begin or remaining - begin < self._index.length // 2:
            kept, remaining, length = 0, begin, None
            new = self._vocabulary.encode(text)[begin:]
            self._index = self._engine.index()
        self._index.make_room(remaining - begin + len(new))
        self._text, self._count, self._begin = text, count, begin
        return PageChange(length, new, len(text) - kept)

    def cursor(self) -> Cursor:
        """A cursor at the text's end. It raises Stale once the page has changed."""
        cursor: Cursor = self._engine.cursor(self._index)
        return cursor

    def _ids_after(self, position: int) -> int:
        """How many ids spell the characters from a position on."""
        if self._count == len(self._text):
            return self._count - position
        return len(self._vocabulary.encode(self._text[position:]))


def common_length(first: str, second: str) -> int:
    """The length of the longest beginning that two texts have in common.

    It is found by bisection, because comparing slices is much faster than a loop over characters.
    """
    low, high = 0, min(len(first), len(second))
    # Usually one text is the beginning of the other.
    if first[:high] == second[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
