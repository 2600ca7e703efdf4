"""expected_saving: the cut at which the typist saves most, and that it never moves back."""

from itertools import accumulate, pairwise
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.decoding.expected_saving import best_length
from model.typist import word_ends

TEXTS = st.text("ab_ (),.\n", min_size=1, max_size=20)


def saved(text: str, right: list[float], at: int, length: int, gain: list[float]) -> float:
    """The saving of one cut, term by term as the formula says."""
    ends = word_ends(text)
    value = right[length] * (length - at - 1) + gain[length]
    while at < length:
        end = ends[at]
        if end < length:
            value += (right[end] - right[length]) * (end - at - 1)
        at = end
    return value


def gains(text: str, right: list[float]) -> list[float]:
    gain = [0.0] * (len(text) + 1)
    for at in range(len(text) - 1, -1, -1):
        lengths = range(at + 1, len(text) + 1)
        gain[at] = max(saved(text, right, at, length, gain) for length in lengths)
    return gain


def products(text: str, probabilities: list[float]) -> list[float]:
    return [1.0, *accumulate(probabilities[: len(text)], mul)]


@given(TEXTS, st.lists(st.floats(0.1, 1), min_size=20, max_size=20), st.integers(1, 20))
def test_no_length_saves_more_than_the_one_that_is_chosen(
    text: str, probabilities: list[float], shortest: int
) -> None:
    right, shortest = products(text, probabilities), min(shortest, len(text))
    gain = gains(text, right)
    chosen = best_length(text, right, shortest)
    assert shortest <= chosen <= len(text)
    most = max(saved(text, right, 0, n, gain) for n in range(shortest, len(text) + 1))
    assert saved(text, right, 0, chosen, gain) == pytest.approx(most)


@given(TEXTS, st.lists(st.floats(0.3, 1), min_size=20, max_size=20))
def test_what_is_typed_through_a_suggestion_never_shortens_it(
    text: str, probabilities: list[float]
) -> None:
    ends: list[int] = []
    for typed in range(len(text)):
        right = products(text[typed:], probabilities[typed:])
        length = best_length(text[typed:], right)
        gain = gains(text[typed:], right)
        again = saved(
            text[typed:], right, 0, max(length, ends[-1] - typed) if ends else length, gain
        )
        # Of lengths that save the same, any may be chosen.
        near = again == pytest.approx(gain[0], rel=1e-9)
        ends.append(max(typed + length, ends[-1] if ends and near else 0))
    assert all(later >= sooner for sooner, later in pairwise(ends))


@pytest.mark.parametrize(
    ("text", "probabilities", "length"),
    [
        ("self.name", [1, 1, 1, 1, 1, 0.2, 1, 1, 1], 5),
        ("self.name", [0.5] + [1] * 8, 9),
        ("a", [0.1], 1),
        ("ab", [0.9, 0.9], 2),
    ],
)
def test_a_cut_comes_before_what_is_uncertain(
    text: str, probabilities: list[float], length: int
) -> None:
    assert best_length(text, products(text, probabilities)) == length
