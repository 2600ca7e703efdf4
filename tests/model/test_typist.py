"""The simulated typist's rule of model.typist."""

import pytest

from model.typist import Key, first_word, press


@pytest.mark.parametrize(
    ("suggestion", "word"),
    [
        ("numpy as np", "numpy"),
        ("  return x", "  return"),
        ("(self):", "("),
        ("):", "):"),
        (" == other", " =="),
        ("name_2.x", "name_2"),
        ("übergröße ist", "übergröße"),
        ("   ", ""),
        ("\n  x", ""),
        ("", ""),
    ],
)
def test_first_word_is_leading_spaces_and_one_run(suggestion: str, word: str) -> None:
    assert first_word(suggestion) == word


def test_a_suggestion_that_comes_next_is_taken_whole() -> None:
    assert press("port numpy", "import numpy as np", 2) == Key("suggestion", 10)


def test_a_wrong_suggestion_gives_its_first_word() -> None:
    assert press("port re", "import numpy", 2) == Key("word", 4)


def test_a_suggestion_longer_than_the_rest_gives_at_most_its_first_word() -> None:
    assert press("def f(x)", "def f", 0) == Key("word", 3)


def test_one_character_is_not_worth_a_key() -> None:
    assert press("s", "s = 1") == Key("nothing", 1)
    assert press("(x)", "(y)") == Key("nothing", 1)


def test_leading_spaces_count_as_characters_of_the_word() -> None:
    assert press(" a rest", " a change") == Key("word", 2)


def test_a_word_cut_short_by_the_text_is_not_taken() -> None:
    assert press("imports x", "import x") == Key("nothing", 1)


def test_no_suggestion_means_one_character() -> None:
    assert press("", "x") == Key("nothing", 1)


@pytest.mark.parametrize("position", [-1, 3, 4])
def test_nothing_left_to_type_is_an_error(position: int) -> None:
    with pytest.raises(ValueError, match="left to type"):
        press("abc", "abc", position)
