"""candidate: one candidate, fed the ids of a text as a network would that predicts this."""

from hypothesis import given
from hypothesis import strategies as st

from model.calibration import Calibration
from model.decoding.candidate import LEAST_FOLLOWED_PROBABILITY, Candidate, Rules
from model.decoding.options import CharProbability, Completion, Options
from model.vocabulary import Vocabulary

VOCABULARY = Vocabulary("\n\r abcdefghijklmnopqrstuvwxyz().-")
LONG = Options(max_chars=100)


def candidate(options: Options = LONG, before: str = "") -> Candidate:
    return Candidate(Rules(VOCABULARY, options, Calibration(), before))


def fed(
    text: str, options: Options = LONG, probability: float = 1.0, before: str = ""
) -> Candidate:
    made = candidate(options, before)
    for index in VOCABULARY.encode(text):
        if not made.push(int(index), probability):
            break
    return made


def decode(
    text: str, options: Options = LONG, probability: float = 1.0, before: str = ""
) -> Completion:
    return fed(text, options, probability, before).completion()


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
    for by_value in (False, True):
        made = candidate(Options(min_confidence=bound, by_value=by_value))
        index = int(VOCABULARY.encode("a")[0])
        for probability in probabilities:
            if not made.push(index, probability):
                break
        completion = made.completion()
        product = 1.0
        for char in completion.chars:
            product *= char.probability
        assert completion.confidence == product
        assert not completion.chars or product >= bound


def test_confidence_is_the_calibrated_one_and_the_bound_is_of_it() -> None:
    doubted = Calibration((0, 1), (0, 0.5))
    options = Options(min_confidence=0.3, by_value=False)
    made = Candidate(Rules(VOCABULARY, options, doubted))
    for index in VOCABULARY.encode("abcdef"):
        if not made.push(int(index), 0.8):
            break
    completion = made.completion()
    assert (completion.text, completion.finish_reason) == ("ab", "confidence")
    assert completion.confidence == 0.8 * 0.8 / 2
    assert completion.chars[1].probability == 0.8


def test_by_value_a_suggestion_is_cut_where_longer_would_be_worth_less() -> None:
    for by_value, shown in ((True, "abc"), (False, "abcdef")):
        made = candidate(Options(min_confidence=0, by_value=by_value))
        for index in VOCABULARY.encode("abcdef"):
            assert made.push(int(index), 0.3 if made.text == "abc" else 1.0)
        assert made.completion().text == shown
        assert made.completion().finish_reason == ("value" if by_value else "max_chars")


def test_by_value_nothing_is_searched_that_is_hardly_ever_right() -> None:
    made = fed("abcdef", Options(min_confidence=0), probability=0.2)
    assert made.finish_reason == "value"
    assert len(made.text) == 2
    assert 0.2**2 >= LEAST_FOLLOWED_PROBABILITY > 0.2**3


def test_a_stop_string_ends_a_suggestion_and_is_not_part_of_it() -> None:
    completion = decode("print(a).b", Options(stop=("xyz", ").")))
    assert (completion.text, completion.finish_reason) == ("print(a", "stop")
    assert completion.stopped_by == ")."
    assert decode("abc", Options(stop=("c", "bc"))).text == "a"
    assert decode("ab\nc", Options(stop=("\n",))).finish_reason == "stop"


def test_a_character_in_bytes_is_shown_whole_or_not_at_all() -> None:
    whole = decode("a漢", Options(min_confidence=0, by_value=False), 0.5)
    assert whole.text == "a漢"
    assert whole.chars[1].probability == 0.5**3
    ids = VOCABULARY.encode("漢")
    half = candidate()
    for index in ids[:2]:
        assert half.push(int(index), 1.0)
    assert half.completion().text == ""
    broken = candidate()
    broken.push(int(ids[0]), 1.0)
    assert not broken.push(int(VOCABULARY.encode("a")[0]), 1.0)
    assert broken.finish_reason == "invalid_bytes"


def test_a_finished_suggestion_takes_nothing_more() -> None:
    made = candidate(Options(max_chars=1))
    index = int(VOCABULARY.encode("a")[0])
    assert not made.push(index, 1.0)
    assert not made.push(index, 1.0)
    assert made.completion().text == "a"


def test_a_fork_goes_its_own_way() -> None:
    made = fed("ab")
    other = made.fork()
    ids = VOCABULARY.encode("é").tolist()
    assert other.push(ids[0], 0.9)
    assert made.push(int(VOCABULARY.encode("c")[0]), 1.0)
    assert other.push(ids[1], 0.9)
    assert (made.text, other.text) == ("abc", "abé")
    assert other.chars == [*made.chars[:2], CharProbability("é", 0.9 * 0.9)]


def certain_texts(text: str, options: Options, before: str = "") -> list[str]:
    """What was certain after each id."""
    made, seen = candidate(options, before), []
    for index in VOCABULARY.encode(text):
        going = made.push(int(index), 1.0)
        seen.append(made.text[: made.certain])
        if not going:
            break
    assert made.completion().text.startswith(seen[-1])
    return seen


def test_each_character_is_certain_at_once_where_nothing_is_cut() -> None:
    assert certain_texts("abcd", Options(by_value=False)) == ["a", "ab", "abc", "abcd"]
    assert certain_texts("abcd", Options()) == ["a", "a", "a", "a"]


def test_what_may_be_taken_back_is_not_certain() -> None:
    stopping = Options(by_value=False, stop=("bcx",))
    assert certain_texts("abcd", stopping) == ["a", "a", "a", "abcd"]
    behind = Options(by_value=False, suffix="cdef")
    assert certain_texts("abcx", behind) == ["a", "ab", "ab", "abcx"]
    line = Options(by_value=False, suffix="\nabc")
    assert certain_texts("abx", line) == ["", "", "abx"]
    assert certain_texts("abc\n", line) == ["", "", "", ""]
    lines = Options(by_value=False, max_lines=3, indent=1)
    assert certain_texts("a\n b", lines) == ["a", "a", "a", "a\n b"]


def test_a_candidate_that_ended_where_the_suffix_begins_is_not_cut_again() -> None:
    """What is left of it may end as the suffix begins, all the same."""
    options = Options(max_chars=40, suffix="b a", by_value=False)
    made = candidate(options, "x = f(a")
    certain = []
    for index in VOCABULARY.encode("bb a"):
        made.push(int(index), 1.0)
        certain.append(made.text[: made.certain])
    assert certain == ["", "", "b", "b"]
    completion = made.completion()
    assert (completion.text, completion.finish_reason) == ("b", "suffix")


@given(
    st.text("ab()\n ", max_size=60),
    st.sampled_from(["", ")", "ab", "b a", "\nab", "\n\n x = f(a)b"]),
    st.sampled_from([(), ("ab",), ("bab", "\n\n")]),
    st.integers(1, 4),
    st.sampled_from([None, 0, 1]),
    st.booleans(),
)
def test_what_was_certain_once_is_in_the_suggestion(
    text: str, suffix: str, stop: tuple[str, ...], lines: int, indent: int | None, by_value: bool
) -> None:
    options = Options(
        max_chars=40, suffix=suffix, stop=stop, max_lines=lines, indent=indent, by_value=by_value
    )
    made, longest = candidate(options, "x = f(a"), ""
    for index in VOCABULARY.encode(text):
        going = made.push(int(index), 1.0)
        certain = made.text[: made.certain]
        assert certain.startswith(longest)
        longest = certain
        if not going:
            break
    assert made.completion().text.startswith(longest)
