"""Token healing on vocabularies small enough to weigh every spelling by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.healing import MOST_SPELLINGS, Pieces, Probabilities, choose, taken_away

WORDS = (b"", b"i", b"imp", b"import", b"important", b"or", b" ", b"   ", b" return", b"\n", b"x")
INDENTED = {(): {b"   ": 0.5, b"       ": 0.3}, (b"   ",): {b" return": 0.7, b" if": 0.3}}


def distribution(pieces: tuple[bytes, ...], shares: dict[bytes, float]) -> Probabilities:
    """What the shares leave goes to the token without bytes, which ends a text."""
    return np.array(
        [shares.get(piece, 0.0) if piece else 1 - sum(shares.values()) for piece in pieces],
        np.float32,
    )


def test_a_text_that_ends_within_a_token_goes_on_as_the_token_does() -> None:
    shares = distribution(WORDS, {b"import": 0.5, b"important": 0.1, b"i": 0.1, b"x": 0.3})
    choice = choose(Pieces(WORDS), b"imp", lambda path: shares)
    assert choice is not None
    assert (choice.tokens, choice.added) == ((WORDS.index(b"import"),), b"ort")
    assert choice.right == pytest.approx((1, 1, 1))
    assert choice.probability == pytest.approx(0.5 / 0.6)


def test_without_characters_taken_away_it_is_the_likeliest_token() -> None:
    shares = distribution(WORDS, {b"import": 0.4, b"important": 0.3, b"x": 0.1})
    choice = choose(Pieces(WORDS), b"", lambda path: shares)
    assert choice is not None
    assert choice.added == b"import"
    assert choice.probability == pytest.approx(0.4)
    # "i" to "import" are right where "important" comes, too.
    assert choice.right == pytest.approx((0.7,) * 6)


def test_a_token_that_leads_to_the_characters_is_followed_where_it_is_likelier() -> None:
    pieces = (b"", b" ", b"  ", b"   ", b"    ", b"       ", b" return", b" if")
    asked = []

    def after(path: tuple[int, ...]) -> Probabilities:
        asked.append(path)
        spelled = tuple(pieces[token] for token in path)
        return distribution(pieces, INDENTED[spelled])

    choice = choose(Pieces(pieces), b"    ", after)
    assert choice is not None
    assert [pieces[token] for token in choice.tokens] == [b"   ", b" return"]
    assert choice.added == b"return"
    # Four blanks come in 0.5 by the short indentation, and in 0.3 as the beginning of the long one.
    assert choice.probability == pytest.approx(0.35 / 0.8)
    assert choice.right == pytest.approx((0.35 / 0.8,) * 6)
    assert asked == [(), (3,)]


def test_the_byte_that_spells_a_character_does_not_hide_its_token() -> None:
    pieces = (b"", b"\n", b"import", b"if", b"\n")
    first = np.array([0.1, 0.9, 0, 0, 0], np.float32)
    second = np.array([0.1, 0, 0.8, 0.1, 0], np.float32)
    choice = choose(Pieces(pieces), b"\ni", lambda path: second if path else first)
    assert choice is not None
    assert choice.tokens == (1, 2)


def test_where_the_model_ends_the_text_nothing_is_suggested() -> None:
    pieces = Pieces(WORDS)
    assert choose(pieces, b"", lambda path: distribution(WORDS, {b"x": 0.2})) is None
    assert choose(pieces, b"imp", lambda path: distribution(WORDS, {b"x": 1.0})) is None


@given(
    shares=st.lists(st.floats(0.01, 1), min_size=6, max_size=6),
    start=st.text("ab", min_size=1, max_size=3),
)
def test_it_finds_the_likeliest_of_all_spellings(shares: list[float], start: str) -> None:
    pieces = (b"a", b"b", b"ab", b"ba", b"aab", b"bb")
    p = np.array(shares, np.float32) / np.float32(sum(shares))

    def spellings(rest: str) -> list[tuple[float, str]]:
        """Every spelling that begins with `rest` and has no token more than that takes."""
        found = []
        for share, piece in zip(p.tolist(), pieces, strict=True):
            said = piece.decode()
            if said.startswith(rest):
                found.append((share, said))
            elif rest.startswith(said):
                found += [(share * q, said + s) for q, s in spellings(rest[len(said) :])]
        return found

    choice = choose(Pieces(pieces), start.encode(), lambda path: p)
    assert choice is not None
    every = spellings(start)
    assert len(every) <= 4**MOST_SPELLINGS
    spelled = b"".join(pieces[token] for token in choice.tokens).decode()
    assert spelled == start + choice.added.decode()
    product = float(np.prod(p[list(choice.tokens)], dtype=np.float64))
    assert product == pytest.approx(max(q for q, _ in every))
    # Spellings less likely than the one found are not all looked at, so that none counts too much.
    assert choice.probability >= product / sum(q for q, _ in every) * (1 - 1e-6)
    assert all(a >= b - 1e-9 for a, b in zip((1.0, *choice.right), choice.right, strict=False))
    assert not choice.right or choice.right[-1] >= choice.probability - 1e-9


@pytest.mark.parametrize(
    ("last", "count"),
    [
        ([b"the", b" wo", b"rd"], 2),
        ([b"the", b" word"], 1),
        ([b"x", b"    "], 1),
        ([b"def", b" f", b"(", b"ba", b"r"], 4),
        ([b"import", b"\n", b"i"], 2),
        ([b"abc"], 1),
        ([], 0),
        ([b"."] * 20, 8),
    ],
)
def test_the_last_word_is_taken_away_with_its_space(last: list[bytes], count: int) -> None:
    assert taken_away(last) == count
