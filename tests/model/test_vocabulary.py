import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import TextError
from model.vocabulary import Speller, Vocabulary

text_without_surrogates = st.text(st.characters(exclude_categories=["Cs"]))


@given(text_without_surrogates, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_is_spelt_and_read_back(text: str, known: str) -> None:
    vocabulary = Vocabulary("".join(sorted(set(known))))
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert all(0 <= index < vocabulary.size for index in ids)


def test_frequent_characters_are_learnt_and_rare_ones_are_spelt_in_bytes() -> None:
    vocabulary = Vocabulary.learn(["é" * 5 + "a" * 5 + "漢"], minimum_count=5)
    assert vocabulary.characters == "aé"
    assert len(vocabulary.encode("aé")) == 2
    assert len(vocabulary.encode("漢")) == 3
    assert len(vocabulary.encode("b")) == 1


def test_the_start_symbol_is_read_but_never_predicted() -> None:
    vocabulary = Vocabulary("ab")
    assert vocabulary.start == vocabulary.size
    assert vocabulary.start not in vocabulary.encode("ab\x00é😀").tolist()


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(TextError, match=r"U\+D800 is a lone surrogate"):
        Vocabulary("a").encode("a\ud800")


def test_without_the_byte_fallback_other_characters_are_refused() -> None:
    vocabulary = Vocabulary("helo", byte_fallback=False)
    assert vocabulary.size == 4
    assert vocabulary.encode("hello").tolist() == [0, 1, 2, 2, 3]
    with pytest.raises(TextError, match="'x' is not in the vocabulary"):
        vocabulary.encode("x")


def test_half_a_character_is_never_shown() -> None:
    vocabulary = Vocabulary("a")
    first, second, third = vocabulary.encode("漢").tolist()
    speller = Speller(vocabulary)
    assert [speller.push(first), speller.push(second)] == ["", ""]
    assert not speller.complete
    assert speller.push(third) == "漢"
    assert speller.complete


def test_bytes_that_make_no_character_are_told() -> None:
    vocabulary = Vocabulary("a")
    first, second, _ = vocabulary.encode("漢").tolist()
    letter = int(vocabulary.encode("a")[0])
    assert Speller(vocabulary).push(second) is None
    interrupted = Speller(vocabulary)
    assert interrupted.push(first) == ""
    assert interrupted.push(letter) is None
    assert vocabulary.decode([first, letter, letter]) == "a"


def test_a_character_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each character once"):
        Vocabulary("aa")
