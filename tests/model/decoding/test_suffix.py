"""suffix: what stands behind the cursor, and brackets and quotes that editors put there."""

from dataclasses import replace

import pytest

from model.decoding.options import CHARACTERS_BEFORE, Options
from model.decoding.suffix import next_line, unclosed
from tests.model.decoding.test_candidate import VOCABULARY, candidate
from tests.model.decoding.test_candidate import decode as decode_any


def decode(text: str, before: str, suffix: str) -> str:
    options = Options(max_chars=100, suffix=suffix)
    completion = decode_any(text, options, before=before)
    assert completion.text == text or completion.finish_reason == "suffix"
    return completion.text


def test_what_stands_after_the_cursor_is_not_suggested_again() -> None:
    assert decode("name)", "call(", ")\nnext line") == "name"
    assert decode("name) - c", "call(", ") - count") == "name"
    assert decode("name) - count", "call(", ")") == "name"
    assert decode("the red fox", "", "fox and hound") == "the red "
    assert decode("the red f", "", "fox and hound") == "the red "


def test_the_next_line_does_not_bear_on_a_suggestion_that_is_another() -> None:
    for suffix in ("\nabc", "  \nabc", ""):
        assert decode("abd", "", suffix) == "abd"


def test_of_the_line_that_follows_a_beginning_may_be_suggested() -> None:
    options = Options(max_chars=100, suffix="\nimport abc\n", min_confidence=0.2)
    made = candidate(options)
    for index in VOCABULARY.encode("import abc\n").tolist():
        made.push(index, 0.5 if made.text == "import " else 1.0)
    completion = made.completion()
    assert (completion.text, completion.finish_reason) == ("import ", "confidence")
    assert completion.confidence == 1.0
    sure = decode_any("import abc\n", options)
    assert (sure.text, sure.finish_reason) == ("", "suffix")
    doubtful = decode_any("import abc\n", options, probability=0.9)
    assert doubtful.text == "imp"
    assert doubtful.confidence < 0.9 ** len(doubtful.text)
    whole = decode_any("import abc\n", replace(options, by_value=False), probability=0.9)
    assert whole.text == ""


def test_a_suggestion_is_not_the_line_that_follows() -> None:
    completion = decode_any("return a\n", Options(suffix="\n\n    return a\n"), before="    ")
    assert (completion.text, completion.finish_reason) == ("", "suffix")
    lines = Options(max_lines=3, max_chars=50, suffix="\n    return a\n")
    assert decode_any("a\n    return a\n", lines, before="    x ").text == "a"
    assert (
        decode_any("return a", Options(suffix="\n    return ab\n"), before="  ").text == "return a"
    )


@pytest.mark.parametrize(
    ("before", "suffix", "text", "shown"),
    [
        ("foo(", ")", "x)", "x"),
        ("print(", ")", "foo(x)", "foo(x)"),
        ("print(", ")", "foo(x))", "foo(x)"),
        ("foo(bar(", "))", "x)", "x"),
        ("foo(bar(", ")", "x))", "x)"),
        ("foo(", "):", "self) - none", "self"),
        ("y = ", ")", "foo(x)", "foo(x"),
        ("a[", "]", "b[c]]", "b[c]"),
        ("foo(", "b)", "ar) - ", "ar"),
        ("foo(a, ", "", "b)", "b)"),
        ("foo(\n    a, ", ")", "bar(b))", "bar(b)"),
    ],
)
def test_a_bracket_that_was_opened_before_the_cursor_is_closed_once(
    before: str, suffix: str, text: str, shown: str
) -> None:
    assert decode(text, before, suffix) == shown


@pytest.mark.parametrize(
    ("before", "suffix", "text", "shown"),
    [
        ('print("', '")', 'hello")', "hello"),
        ('print("', '")', 'hello" - x)', "hello"),
        ("x = '", "'", "it'", "it"),
        ("x = ", '"abc"', '"abc"', ""),
        ("x = ", '"abc"', '"ab" - c', '"ab" - c'),
    ],
)
def test_a_quote_that_was_opened_before_the_cursor_is_closed_once(
    before: str, suffix: str, text: str, shown: str
) -> None:
    assert decode(text, before, suffix) == shown


def test_a_short_text_behind_is_not_looked_for_inside_of_brackets() -> None:
    assert decode("f(a - b)", "x ", "- c") == "f(a - b)"
    assert decode("f(a) - c", "x ", "- c") == "f(a) "


def test_where_the_opening_bracket_is_out_of_sight_it_counts_as_there() -> None:
    far = "foo(" + "a\n" * CHARACTERS_BEFORE
    assert decode("bar(x)", far, ")") == "bar(x)"
    assert decode("x)", far, ")") == "x"
    assert decode("bar(x)", "foo(a\n\nb ", ")") == "bar(x)"


def test_brackets_are_counted_by_kind() -> None:
    assert unclosed("([{)", ")") == 0
    assert unclosed("([{)", "]") == 1
    assert unclosed(")((", ")") == 2


def test_the_next_line_is_the_first_that_is_not_blank() -> None:
    assert next_line("\n  \n  ab c \nd") == "ab c"
    assert next_line("\n \n") == ""
