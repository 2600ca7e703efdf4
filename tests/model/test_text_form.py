"""The form in which texts are read, and the form in which answers are written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import CharProbability, Completion, Options
from model.served import Runtime
from model.text_form import START, AnswerForm, training_form

CLASS = (
    "class A:\n    def __init__(self, name):\n        self.name = name\n\n"
    "    def __repr__(self):\n        return self.name\n\n\n"
)
REPEATED = CLASS * 3 + "class A:\n    def __init__(self, name):"
TEXTS = st.text(alphabet="ab\r\n\ufeff", max_size=12)


@pytest.fixture(scope="module")
def python(root: Path) -> Runtime:
    """The checkpoint that is shipped."""
    return Runtime(load(root / "checkpoints" / "python"))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_suggestion_of_several_lines_has_the_line_ends_of_its_text(
    python: Runtime, line_end: str
) -> None:
    options = Options(max_lines=8, max_chars=200)
    found = complete(python, REPEATED.replace("\n", line_end), options).completion
    assert found.text == line_end + "        self.name = name"
    assert [c.text for c in found.chars[:2]] == [line_end, " "]
    feeds = complete(python, REPEATED, options).completion
    assert (found.confidence, found.finish_reason) == (feeds.confidence, feeds.finish_reason)
    assert [c.probability for c in found.chars] == [c.probability for c in feeds.chars]


def test_a_byte_order_mark_changes_no_suggestion(python: Runtime) -> None:
    assert complete(python, "\ufeffimport nu") == complete(python, "import nu")
    assert complete(python, "import nu").completion.text == "mpy as np"


def test_a_line_end_is_one_of_the_next_characters_as_the_text_writes_it(python: Runtime) -> None:
    text = "x = a\r\n" * 50 + "x = a"
    (first, probability), *_ = complete(python, text, top=3).next
    assert (first, probability > 0.9) == ("\r\n", True)
    assert complete(python, text.replace("\r\n", "\n"), top=3).next[0] == ("\n", probability)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("\r\r\n\n", "\n\n\n"),
        ("\ufeffa\ufeff", "a\ufeff"),
        ("\ufeff", ""),
        ("", ""),
    ],
)
def test_a_text_is_read_with_line_feeds_and_without_a_mark(text: str, read: str) -> None:
    assert training_form(text) == read


@given(st.lists(TEXTS))
def test_pieces_are_read_as_their_whole_wherever_it_is_cut(pieces: list[str]) -> None:
    place, read = START, ""
    for piece in pieces:
        read += place.form(piece)
        place = place.after(piece)
    text = "".join(pieces)
    assert read == training_form(text)
    assert place == START.after(text)
    assert (place.position, place.read) == (len(text), len(read))


@pytest.mark.parametrize(
    ("before", "behind", "line_end"),
    [
        # The nearest line end before the cursor decides.
        ("a\nb\r\nc", "\r", "\r\n"),
        ("a\r\nb\nc", "\r\n", "\n"),
        ("a\r\nb\rc", "\n", "\r"),
        # A carriage return right before the cursor may be half a line end.
        ("a\r\nb\r", "", "\r\n"),
        ("a\nb\r", "\nc", "\n"),
        ("a\r", "\nc", "\r\n"),
        ("a\r", "c\n", "\r"),
        # Without a line end before the cursor, the first one behind it decides.
        ("a", "b\r\nc\n", "\r\n"),
        ("", "b\rc\n", "\r"),
        ("a", "b", "\n"),
        ("", "", "\n"),
    ],
)
def test_the_line_end_nearest_before_the_cursor_decides(
    before: str, behind: str, line_end: str
) -> None:
    assert START.after(before).answers(Options(suffix=behind)).line_end == line_end


def test_the_text_behind_the_cursor_is_read_as_part_of_its_document() -> None:
    def behind(before: str, suffix: str) -> str:
        return START.after(before).read_options(Options(suffix=suffix)).suffix

    assert behind("a", "\r\nb\r\n") == "\nb\n"
    assert behind("a\r", "\nb\r\n") == "b\n"
    assert behind("", "\ufeffb") == "b"
    assert behind("a", "\ufeffb") == "\ufeffb"


def test_a_stop_string_stops_in_any_form_and_comes_back_as_it_was_sent(python: Runtime) -> None:
    text = REPEATED.replace("\n", "\r\n")
    for stop in ("\r\n        self", "\n        self", "\r        self"):
        options = Options(max_lines=8, max_chars=200, stop=("no", stop))
        found = complete(python, text, options).completion
        assert (found.text, found.finish_reason, found.stopped_by) == ("", "stop", stop)


def test_a_suffix_is_not_repeated_whatever_its_line_ends(python: Runtime) -> None:
    options = [
        Options(max_lines=8, max_chars=200, suffix=suffix)
        for suffix in ("\n        self.name = name\n", "\r\n        self.name = name\r\n")
    ]
    feeds, pairs = (
        complete(python, text, each)
        for text, each in zip((REPEATED, REPEATED.replace("\n", "\r\n")), options, strict=True)
    )
    assert "self.name" not in feeds.completion.text
    assert pairs.completion.text == feeds.completion.text.replace("\n", "\r\n")
    assert pairs.completion.finish_reason == feeds.completion.finish_reason


def test_an_answer_keeps_one_probability_for_each_line_end() -> None:
    chars = (
        CharProbability("a", 0.5, (("a", 0.5), ("\n", 0.25))),
        CharProbability("\n", 0.25, (("\n", 0.25),)),
    )
    written = AnswerForm("\r\n").completion(Completion(chars, 0.125, "value"))
    assert written.text == "a\r\n"
    assert written.chars == (
        CharProbability("a", 0.5, (("a", 0.5), ("\r\n", 0.25))),
        CharProbability("\r\n", 0.25, (("\r\n", 0.25),)),
    )
    assert (written.confidence, written.finish_reason) == (0.125, "value")
