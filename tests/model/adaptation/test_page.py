"""A page depends only on its text: it holds what a new page of that text holds."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.adaptation import Adaptation, Page, page_text, window_start
from model.adaptation.index import LIMIT
from model.adaptation.page import common_length
from model.checkpoint import Checkpoint
from model.errors import TextError
from model.runtime.network_output import NetworkOutput
from tests.model.adaptation.primed import network_output, primed
from tests.model.runtime.networks import random_checkpoint

WORDS = ("self", ".", "(", ")", "\n    ", "return ", "x", "é", "€", " = ", "value", "\n", "日本")
EDGE = 5 * 2048


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return primed(random_checkpoint())


@pytest.fixture(scope="module")
def adaptation(checkpoint: Checkpoint) -> Adaptation:
    return Adaptation(checkpoint)


def written(length: int, seed: int, words: tuple[str, ...] = WORDS) -> str:
    """Text of common words, of which many repeat."""
    chosen = random.Random(seed)
    text = ""
    while len(text) < length:
        text += "".join(chosen.choices(words, k=200))
    return text[:length]


def window(text: str) -> str:
    return text[window_start(len(text)) :]


def said_of(adaptation: Adaptation) -> NetworkOutput:
    p = np.random.default_rng(5).dirichlet(np.full(adaptation.vocabulary.size, 0.3), 1)
    return network_output(p.astype(np.float32), units=adaptation.engine.parameters.units)


def assert_fresh(adaptation: Adaptation, page: Page, text: str) -> None:
    """Compares a page with one that has read the same window from its start."""
    fresh = adaptation.page()
    fresh.follow(window(text))
    assert page.text == fresh.text
    assert page.index.content() == fresh.index.content()
    said = said_of(adaptation)
    mixed = [adaptation.distribution([one.cursor()], said).tobytes() for one in (page, fresh)]
    assert mixed[0] == mixed[1]


def edited(texts: list[tuple[float, str]], start: str) -> Iterator[str]:
    """Keeps a share of a text, then appends, again and again."""
    text = start
    for kept, more in texts:
        text = text[: round(kept * len(text))] + more
        yield text


pieces = st.lists(st.sampled_from(WORDS), max_size=30).map("".join)
shares = st.one_of(st.just(1.0), st.floats(0.995, 1.0), st.floats(0.0, 1.0))


@settings(max_examples=40)
@given(
    length=st.one_of(
        st.integers(0, 300),
        st.integers(EDGE - 40, EDGE + 40),
        st.integers(EDGE + 2048 - 40, EDGE + 2048 + 40),
    ),
    seed=st.integers(0, 9),
    edits=st.lists(st.tuples(shares, pieces), min_size=1, max_size=6),
)
def test_edits_and_rollbacks_over_the_windows_edge_lead_to_a_fresh_page(
    length: int, seed: int, edits: list[tuple[float, str]]
) -> None:
    adaptation = Adaptation(primed(random_checkpoint()))
    page = adaptation.page()
    for text in edited(edits, written(length, seed)):
        page.follow(window(text))
        assert_fresh(adaptation, page, text)


def test_typing_over_the_windows_edge_and_back(adaptation: Adaptation) -> None:
    text = written(EDGE + 30, 1)
    page = adaptation.page()
    forth = range(EDGE - 30, EDGE + 30)
    for length in [*forth, *reversed(forth)]:
        page.follow(window(text[:length]))
        if length % 7 == 0 or abs(length - EDGE) < 3:
            assert_fresh(adaptation, page, text[:length])


@given(
    length=st.one_of(st.integers(0, 300), st.integers(EDGE - 2500, EDGE + 2500)),
    behind=st.one_of(st.integers(0, 90), st.integers(1900, 2500)),
    line=st.sampled_from(["", "\n", ")\n", " # no more"]),
)
def test_lines_behind_the_cursor_are_read_before_the_window(
    length: int, behind: int, line: str
) -> None:
    text, lines = written(length, 4), written(behind, 5)
    read = page_text(window(text), length, line + lines)
    following = (line + lines).partition("\n")[2][:2047]
    if not following:
        assert read == window(text)
        return
    assert read.startswith(f"{following}\n")
    before = read.removeprefix(f"{following}\n")
    assert text.endswith(before)
    assert before == text or 8192 <= len(read) <= LIMIT
    # While the cursor's line is typed, only its characters are new.
    more = page_text(window(text + "x"), length + 1, line.replace(")", "})") + lines)
    assert more == read + "x" or (length + len(following) + 2) % 2048 == 0


def test_more_ids_than_an_index_holds(adaptation: Adaptation) -> None:
    text = written(8000, 2, ("€", "日", "a", "é"))
    assert len(adaptation.vocabulary.encode(text)) > LIMIT
    page = adaptation.page()
    for length in [*range(0, 8000, 531), 7999, 8000, 6000, 6001, 3000, 8000]:
        page.follow(text[:length])
        assert_fresh(adaptation, page, text[:length])
        assert page.index.length <= LIMIT


def test_only_what_is_new_is_read(adaptation: Adaptation) -> None:
    text = written(9000, 3)
    page = adaptation.page()
    assert page.follow(text[:8990]) == 8990
    assert page.follow(text[:8991]) == 1
    assert page.follow(text[:8991]) == 0
    assert page.follow(text[:8980]) == 0
    assert page.follow(text[:8980] + "xyz") == 3


def test_text_that_no_utf8_holds_leaves_the_page_as_it_was(adaptation: Adaptation) -> None:
    page = adaptation.page()
    page.follow("abc abc")
    before = page.index.content()
    with pytest.raises(TextError):
        page.follow("abc a\ud800")
    assert (page.text, page.index.content()) == ("abc abc", before)
    page.follow("abc abd")
    assert_fresh(adaptation, page, "abc abd")


def test_predicted_characters_are_context_and_never_evidence(adaptation: Adaptation) -> None:
    text = "one two one two one "
    page = adaptation.page()
    page.follow(text)
    before, said = page.index.content(), said_of(adaptation)
    at_end = adaptation.distribution([page.cursor()], said)
    cursor = page.cursor()
    for number in adaptation.vocabulary.encode("two one two one "):
        cursor.push(int(number))
    pushed = adaptation.distribution([cursor], said)
    assert page.index.content() == before
    assert (adaptation.distribution([page.cursor()], said) == at_end).all()
    # The same text typed is evidence: it has other counts, so other bits.
    page.follow(text + "two one two one ")
    assert (adaptation.distribution([page.cursor()], said) != pushed).any()


def test_backends_give_a_session_the_same_answers(checkpoint: Checkpoint) -> None:
    text = written(700, 4)
    answers = []
    for backend in (None, "numpy"):
        adaptation = Adaptation(checkpoint, backend)
        page, said = adaptation.page(), said_of(adaptation)
        page.follow(text)
        page.follow(text[:640] + "return €")
        ids, probabilities = adaptation.best([page.cursor()], said)
        answers.append((page.index.content(), ids.tobytes(), probabilities.tobytes()))
    assert answers[0] == answers[1]


def test_windows_begin_at_blocks_and_hold_what_an_index_can() -> None:
    for length in range(0, 60_000, 17):
        start = window_start(length)
        assert start % 2048 == 0
        assert length - start < LIMIT
        assert start == 0 or length - start >= 8192


@pytest.mark.parametrize(
    ("length", "kilobytes"), [(0, 64), (3000, 128), (EDGE - 1, 256)], ids=["empty", "usual", "full"]
)
def test_memory_is_bounded(adaptation: Adaptation, length: int, kilobytes: int) -> None:
    page = adaptation.page()
    page.follow(written(length, 5, ("abc", " ", "(x)", "\n")))
    assert page.nbytes <= 1024 * kilobytes


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_the_length_of_a_common_beginning(first: str, second: str) -> None:
    length = common_length(first, second)
    assert first[:length] == second[:length]
    assert first[length : length + 1] != second[length : length + 1] or length == len(first)
