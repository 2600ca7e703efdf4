"""options: values out of bounds are refused by name, and what a completion says."""

from math import inf
from typing import Any

import pytest

from model.decoding.options import BOUNDS, CharProbability, Completion, Options


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("max_chars", {"max_chars": -1}),
        ("min_confidence", {"min_confidence": 1.5}),
        ("min_confidence", {"min_confidence": float("nan")}),
        ("stop", {"stop": ("",)}),
        ("n", {"n": 0}),
        ("n", {"n": 17}),
        ("max_lines", {"max_lines": 0}),
        ("indent", {"indent": -1}),
        ("temperature", {"temperature": -0.1}),
        ("temperature", {"temperature": float("inf")}),
        ("top_k", {"top_k": -1}),
        ("top_p", {"top_p": 0}),
        ("top_p", {"top_p": float("nan")}),
        ("min_p", {"min_p": 1.1}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": 2**64}),
        ("trigger", {"trigger": "later"}),
        ("top_each", {"top_each": 21}),
    ],
)
def test_options_out_of_range_are_refused_by_name(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        Options(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": -1}, "top_k: -1 is not at least 0"),
        ({"n": 17}, "n: 17 is not between 1 and 16"),
        ({"top_p": 0.0}, "top_p: 0.0 is not above 0 and at most 1"),
    ],
)
def test_a_refusal_says_what_would_be_taken(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Options(**options)


@pytest.mark.parametrize("option", BOUNDS)
def test_both_bounds_of_an_option_are_taken(option: str) -> None:
    bounds = BOUNDS[option]
    for value in (bounds.least + bounds.above, bounds.most if bounds.most < inf else 10**9):
        taken: dict[str, Any] = {option: value}
        assert getattr(Options(**taken), option) == value


def test_a_manual_trigger_asks_for_no_confidence() -> None:
    assert Options(min_confidence=0.4).least_confidence == 0.4
    assert Options(min_confidence=0.4, trigger="manual").least_confidence == 0


def test_a_completion_says_its_characters() -> None:
    chars = (CharProbability("a", 0.5), CharProbability("漢", 0.25))
    assert Completion(chars, 0.125, "max_chars").text == "a漢"
