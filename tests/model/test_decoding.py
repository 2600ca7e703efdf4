import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.decoding import Completion, Greedy, Options
from model.vocabulary import Vocabulary

VOCABULARY = Vocabulary("\n\r abcdefghijklmnopqrstuvwxyz().-")


def decode(text: str, options: Options | None = None, probability: float = 1.0) -> Completion:
    """Feeds a decoder the ids of a text, as a network would that predicts just this."""
    greedy = Greedy(VOCABULARY, options or Options(max_chars=100))
    for index in VOCABULARY.encode(text):
        if not greedy.push(int(index), probability):
            break
    return greedy.completion()


def test_a_suggestion_ends_at_the_line_end() -> None:
    for line_end in "\n\r":
        completion = decode(f"abc{line_end}def")
        assert (completion.text, completion.finish_reason) == ("abc", "line_end")


def test_a_suggestion_ends_at_its_longest_length() -> None:
    completion = decode("abcdef", Options(max_chars=4))
    assert (completion.text, completion.finish_reason) == ("abcd", "max_chars")
    nothing = decode("abcdef", Options(max_chars=0))
    assert (nothing.text, nothing.finish_reason, nothing.confidence) == ("", "max_chars", 1.0)


def test_a_suggestion_ends_before_the_whole_of_it_is_too_unlikely() -> None:
    completion = decode("abcdef", Options(min_confidence=0.5), probability=0.8)
    assert completion.text == "abc"
    assert completion.finish_reason == "confidence"
    assert completion.confidence == 0.8 * 0.8 * 0.8


@given(st.floats(0, 1), st.lists(st.floats(0.01, 1), min_size=1, max_size=30))
def test_what_is_shown_is_as_likely_as_was_asked(bound: float, probabilities: list[float]) -> None:
    greedy = Greedy(VOCABULARY, Options(min_confidence=bound))
    index = int(VOCABULARY.encode("a")[0])
    for probability in probabilities:
        if not greedy.push(index, probability):
            break
    completion = greedy.completion()
    product = 1.0
    for char in completion.chars:
        product *= char.probability
    assert completion.confidence == product
    assert not completion.chars or product >= bound


def test_a_stop_string_ends_a_suggestion_and_is_not_part_of_it() -> None:
    completion = decode("print(a).b", Options(stop=("xyz", ").")))
    assert (completion.text, completion.finish_reason) == ("print(a", "stop")
    assert decode("abc", Options(stop=("c", "bc"))).text == "a"


def test_what_stands_after_the_cursor_is_not_suggested_again() -> None:
    closing = decode("name)", Options(suffix=")\nnext line"))
    assert (closing.text, closing.finish_reason) == ("name", "suffix")
    partly = decode("name) + c", Options(suffix=") + count"))
    assert (partly.text, partly.finish_reason) == ("name", "suffix")
    beyond = decode("name) + count", Options(suffix=")"))
    assert beyond.text == "name"


def test_the_next_line_does_not_bear_on_a_suggestion() -> None:
    for suffix in ("\nabc", "  \nabc", ""):
        assert decode("abc\n", Options(suffix=suffix)).text == "abc"


def test_a_loop_ends_a_suggestion() -> None:
    completion = decode("ab." + "-" * 60)
    assert (completion.text, completion.finish_reason) == ("ab.-", "repetition")
    phrase = decode("self and all of " * 5)
    assert (phrase.text, phrase.finish_reason) == ("self and all of ", "repetition")
    assert decode("haha haha").text == "haha haha"


def test_a_character_in_bytes_is_shown_whole_or_not_at_all() -> None:
    whole = decode("a漢", probability=0.5, options=Options(min_confidence=0))
    assert whole.text == "a漢"
    assert whole.chars[1].probability == 0.5**3
    ids = VOCABULARY.encode("漢")
    half = Greedy(VOCABULARY, Options())
    for index in ids[:2]:
        assert half.push(int(index), 1.0)
    assert half.completion().text == ""
    broken = Greedy(VOCABULARY, Options())
    broken.push(int(ids[0]), 1.0)
    assert not broken.push(int(VOCABULARY.encode("a")[0]), 1.0)
    assert broken.finish_reason == "invalid_bytes"


def test_a_finished_suggestion_takes_nothing_more() -> None:
    greedy = Greedy(VOCABULARY, Options(max_chars=1))
    index = int(VOCABULARY.encode("a")[0])
    assert not greedy.push(index, 1.0)
    assert not greedy.push(index, 1.0)
    assert greedy.completion().text == "a"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("max_chars", {"max_chars": -1}),
        ("min_confidence", {"min_confidence": 1.5}),
        ("min_confidence", {"min_confidence": float("nan")}),
        ("stop", {"stop": ("",)}),
    ],
)
def test_options_out_of_range_are_refused_by_name(field: str, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        Options(**options)  # type: ignore[arg-type]
