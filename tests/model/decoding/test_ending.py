"""ending: loops, and suggestions of several lines."""

import pytest

from model.decoding.ending import trimmed
from model.decoding.options import Options
from tests.model.decoding.test_candidate import decode

LINES = Options(max_chars=200, max_lines=10)


def test_a_loop_ends_a_suggestion() -> None:
    completion = decode("ab." + "-" * 60)
    assert (completion.text, completion.finish_reason) == ("ab.-", "repetition")
    phrase = decode("self and all of " * 5)
    assert (phrase.text, phrase.finish_reason) == ("self and all of ", "repetition")
    assert decode("haha haha").text == "haha haha"


def test_several_lines_end_at_the_last_one_that_was_asked_for() -> None:
    completion = decode("ab\ncd\nef\ngh", Options(max_lines=3))
    assert (completion.text, completion.finish_reason) == ("ab\ncd\nef", "line_end")
    assert decode("ab\r\ncd\r\nef", Options(max_lines=2)).text == "ab\r\ncd"


def test_several_lines_end_where_the_indentation_falls_back() -> None:
    body = "a\n    b\n        c\n\nd"
    completion = decode(body, LINES, before="def f():\n    ")
    assert (completion.text, completion.finish_reason) == ("a\n    b\n        c", "indentation")
    top = decode(body, LINES, before="x = ")
    assert (top.text, top.finish_reason) == (body, "max_chars")


def test_a_blank_cursor_line_is_indented_by_what_is_suggested_on_it() -> None:
    completion = decode("    a\n    b\nc", LINES, before="def f():\n")
    assert (completion.text, completion.finish_reason) == ("    a\n    b", "indentation")


@pytest.mark.parametrize(("indent", "text"), [(2, "a\n  b"), (3, "a"), (0, "a\n  b\nc")])
def test_the_least_indentation_may_be_given(indent: int, text: str) -> None:
    options = Options(max_chars=200, max_lines=10, indent=indent)
    assert decode("a\n  b\nc", options, before="        x").text == text


def test_a_tab_is_as_wide_as_eight_columns() -> None:
    options = Options(max_chars=200, max_lines=10, by_value=False)
    text = decode("a\n        b\n       c", options, before="\tx").text
    assert text == "a\n        b"


def test_a_line_end_with_nothing_but_blanks_behind_it_is_not_shown() -> None:
    assert decode("ab\n\n   ", LINES).text == "ab"
    assert trimmed("ab  ") == 4
    assert trimmed("ab \n\r ") == 3
    assert trimmed("\n  ") == 0
