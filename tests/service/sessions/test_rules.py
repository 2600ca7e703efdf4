"""The rules of a session: its states are those of the text read from the beginning."""

import string
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.adaptation import window_start
from model.text_form import training_form
from service.errors import Resync
from service.sessions.digests import DIGEST_BLOCK
from service.sessions.record import CHEAP_CHARACTERS, Record, as_stored
from service.sessions.rules import TextEdit, WholeText, plan, settle
from tests.service.recurrence import (
    FINGERPRINT,
    OTHER_FINGERPRINT,
    STATE_SIZE,
    advance,
    follow,
    request,
    state_of,
)
from tests.service.sessions.texts import astral_text, typed_text

# By how many characters the beginning of a window moves, when it moves.
WINDOW_BLOCK = min(b - a for a, b in pairwise(sorted({window_start(n) for n in range(50_000)})))
TEXT = "".join(string.ascii_letters[i % 52] + " é\n😀"[i % 4] for i in range(4 * DIGEST_BLOCK))
LONG = TEXT * 3
SMALL_TEXTS = st.text(alphabet="ab é😀\r\n", max_size=12)
# A state for tests in which only the positions of states matter.
NO_STATE = bytes(STATE_SIZE)
PACKING_WELL = typed_text(30_000)


def steps(record: Record | None, text: str) -> int:
    return len(plan(record, WholeText(text), FINGERPRINT, STATE_SIZE).absorb)


def test_typing_absorbs_only_the_new_characters() -> None:
    record = request(None, WholeText(TEXT[:3000]))
    assert plan(record, WholeText(TEXT[:3001]), FINGERPRINT, STATE_SIZE).absorb == TEXT[3000]
    edit = TextEdit(record.version, 3000, TEXT[3000])
    assert plan(record, edit, FINGERPRINT, STATE_SIZE).absorb == TEXT[3000]


def test_the_same_text_again_absorbs_nothing_and_keeps_its_version() -> None:
    record = request(None, WholeText(TEXT[:2500]))
    planned = plan(record, WholeText(TEXT[:2500]), FINGERPRINT, STATE_SIZE)
    assert planned.absorb == ""
    assert follow(planned).version == record.version


def test_an_edit_sent_twice_is_applied_once() -> None:
    before = request(None, WholeText("hello"))
    edit = TextEdit(before.version, 5, "!")
    once = request(before, edit)
    twice = request(once, edit)
    assert (twice.tail, twice.version) == ("hello!", once.version)
    assert request(twice, edit).tail == "hello!"


def test_an_edit_that_was_sent_ahead_of_the_answer_is_applied_to_the_text_it_means() -> None:
    before = request(None, WholeText("hello"))
    first = request(before, TextEdit(before.version, 5, " y"))
    second = request(first, TextEdit(before.version, 5, " you"))
    third = request(second, TextEdit(before.version, 2, "y"))
    assert [r.tail for r in (first, second, third)] == ["hello y", "hello you", "hey"]
    assert third.version == request(None, WholeText("hey")).version


def test_an_edit_sent_ahead_keeps_no_more_than_is_known_of_its_version() -> None:
    before = request(None, WholeText("hello"))
    after = request(before, TextEdit(before.version, 2, "y"))
    with pytest.raises(Resync) as refused:
        plan(after, TextEdit(before.version, 3, "p"), FINGERPRINT, STATE_SIZE)
    assert (refused.value.field, refused.value.version) == ("edit.keep", after.version)


def test_an_edit_of_another_version_is_told_the_version_held() -> None:
    old = request(None, WholeText("hello"))
    held = request(old, WholeText("hello you"))
    with pytest.raises(Resync) as refused:
        plan(held, TextEdit(old.version, 5, "!"), FINGERPRINT, STATE_SIZE)
    assert refused.value.version == held.version


def test_an_edit_of_an_unknown_session_asks_for_the_text() -> None:
    with pytest.raises(Resync) as refused:
        plan(None, TextEdit(1, 0, "a"), FINGERPRINT, STATE_SIZE)
    assert refused.value.version is None


def test_a_version_of_a_lost_session_never_fits_the_text_that_came_after_it() -> None:
    lost = request(None, WholeText("one text"))
    made_again = request(None, WholeText("another!"))
    with pytest.raises(Resync):
        plan(made_again, TextEdit(lost.version, 8, "x"), FINGERPRINT, STATE_SIZE)


def test_an_edit_keeps_no_more_than_is_held() -> None:
    record = request(None, WholeText("hello"))
    with pytest.raises(Resync) as refused:
        plan(record, TextEdit(record.version, 6, ""), FINGERPRINT, STATE_SIZE)
    assert refused.value.field == "edit.keep"


def test_an_edit_before_the_tail_asks_for_the_text() -> None:
    record = request(None, WholeText(LONG))
    with pytest.raises(Resync):
        plan(record, TextEdit(record.version, record.tail_start - 1, ""), FINGERPRINT, STATE_SIZE)


def lengths_near_the_edges_of_windows() -> st.SearchStrategy[int]:
    edges = st.integers(0, 12).map(lambda block: block * WINDOW_BLOCK)
    # The beginning of the window moves at an edge, and that of the tail DIGEST_BLOCK later.
    exactly = st.builds(int.__add__, st.sampled_from([0, DIGEST_BLOCK]), st.integers(-3, 3))
    away = st.one_of(exactly, st.integers(-1500, 1500))
    return st.builds(lambda edge, off: max(0, edge + off), edges, away)


@given(
    length=lengths_near_the_edges_of_windows(),
    back=st.one_of(
        st.integers(0, DIGEST_BLOCK),
        st.integers(DIGEST_BLOCK - 3, DIGEST_BLOCK + 3),
        st.integers(0, 16_000),
    ),
    append=st.one_of(st.integers(0, 3), st.integers(0, 3 * DIGEST_BLOCK)),
    text=st.sampled_from([PACKING_WELL, PACKING_WELL.replace(" ", "\r\n"), "\r\n" * 15_000]),
)
# The longest texts whose tails begin at the same place as those of texts before the edge.
@example(5 * WINDOW_BLOCK + DIGEST_BLOCK - 1, DIGEST_BLOCK, 0, PACKING_WELL)
@example(12 * WINDOW_BLOCK + DIGEST_BLOCK - 1, DIGEST_BLOCK, 0, PACKING_WELL)
def test_a_plan_has_the_window_and_an_edit_is_refused_only_if_it_goes_back_more_than_a_block(
    length: int, back: int, append: int, text: str
) -> None:
    text = text[:length]
    length, form = len(text), training_form(text)
    planned = plan(None, WholeText(text), FINGERPRINT, STATE_SIZE)
    assert planned.window == form[window_start(len(form)) :]
    record = settle(planned, [NO_STATE] * len(planned.pieces))
    keep = max(0, length - back)
    after = text[:keep] + "x" * append
    try:
        planned = plan(
            record, TextEdit(record.version, keep, "x" * append), FINGERPRINT, STATE_SIZE
        )
    except Resync:
        assert back > DIGEST_BLOCK
        planned = plan(record, WholeText(after), FINGERPRINT, STATE_SIZE)
    form = training_form(after)
    assert planned.window == form[window_start(len(form)) :]
    assert planned.tail == after[planned.tail_begin.position :]
    assert planned.tail_begin.read <= window_start(len(form))


def test_an_edit_of_a_stored_text_whose_window_packs_too_badly_asks_for_the_text() -> None:
    text = astral_text(10_000)
    record = request(None, WholeText(text))
    stored = as_stored(record)
    assert record.tail == text
    assert stored.tail == text[stored.tail_start :] != text
    edit = TextEdit(record.version, len(text), "x")
    with pytest.raises(Resync) as refused:
        plan(stored, edit, FINGERPRINT, STATE_SIZE)
    assert (refused.value.version, refused.value.field) == (record.version, "edit.keep")
    # The worker that keeps the session can go on, and so can any worker with the whole text.
    for kept, change in ((record, edit), (stored, WholeText(text + "x"))):
        planned = plan(kept, change, FINGERPRINT, STATE_SIZE)
        assert (planned.window, planned.absorb) == (text + "x", "x")
        assert follow(planned).snapshots[0].state == advance(record.snapshots[0].state, "x")


def test_a_change_far_before_the_tail_is_noticed() -> None:
    record = request(None, WholeText(TEXT))
    changed = "X" + TEXT[1:]
    planned = plan(record, WholeText(changed), FINGERPRINT, STATE_SIZE)
    assert planned.start is None
    assert planned.absorb == changed


def test_a_line_feed_after_its_carriage_return_costs_no_step_and_changes_no_state() -> None:
    returned = request(None, WholeText("one\r\ntwo\r"))
    planned = plan(
        returned, TextEdit(returned.version, len("one\r\ntwo\r"), "\n"), FINGERPRINT, STATE_SIZE
    )
    record = follow(planned)
    assert (planned.absorb, planned.pieces) == ("\n", ())
    assert (record.length, record.snapshots[0].position) == (10, 10)
    assert record.snapshots[0].state == returned.snapshots[0].state == state_of("one\ntwo\n")
    assert record.version != returned.version


@pytest.mark.parametrize("change", ["\r\n", "é", " ", "\t"])
def test_text_is_compared_as_it_was_typed(change: str) -> None:
    lookalike = {"\r\n": "\n", "é": "e\u0301", " ": "\u00a0", "\t": "    "}[change]
    record = request(None, WholeText("a" + change + "b"))
    assert steps(record, "a" + lookalike + "b") == len("a" + lookalike + "b")


def test_states_of_another_checkpoint_are_made_again_from_the_kept_text() -> None:
    record = request(None, WholeText(TEXT[:1500]))
    edit = TextEdit(record.version, 1500, "x")
    after = request(record, edit, OTHER_FINGERPRINT)
    assert after.snapshots[0].state == state_of(TEXT[:1500] + "x", OTHER_FINGERPRINT)


def test_an_edit_asks_for_the_text_when_the_kept_text_cannot_make_the_states_again() -> None:
    record = request(None, WholeText(LONG))
    with pytest.raises(Resync):
        plan(record, TextEdit(record.version, len(LONG), "x"), OTHER_FINGERPRINT, STATE_SIZE)


def test_a_state_of_another_size_is_not_used() -> None:
    record = request(None, WholeText("hello"))
    assert plan(record, WholeText("hello"), FINGERPRINT, STATE_SIZE + 1).start is None


@pytest.mark.parametrize(("back", "most"), [(1, 128), (40, 512), (300, 2048), (3000, 16_384)])
def test_going_back_in_a_pasted_text_costs_in_proportion_to_the_way(back: int, most: int) -> None:
    text = TEXT * 5
    record = request(None, WholeText(text))
    assert steps(record, text[:-back]) <= most


def test_backspacing_while_typing_never_goes_back_to_the_start() -> None:
    record: Record | None = None
    for length in range(1, 3 * DIGEST_BLOCK, 3):
        record = request(record, WholeText(TEXT[:length]))
        for back in (1, 5, 20):
            if back < length:
                assert steps(record, TEXT[: length - back]) <= 400


def test_going_back_in_a_text_typed_key_by_key_costs_in_proportion_to_the_way() -> None:
    record: Record | None = None
    text = PACKING_WELL[:20_000]
    for length in range(1, len(text) + 1):
        planned = plan(record, WholeText(text[:length]), FINGERPRINT, STATE_SIZE)
        record = settle(planned, [NO_STATE] * len(planned.marks))
        if length % 1999 == 0:
            positions = [s.position for s in record.snapshots]
            # Just before a snapshot is the worst place to go back to: the next older one is far.
            for back in (length - position + 1 for position in positions if position > 1):
                assert steps(record, text[: length - back]) <= 6 * max(back, CHEAP_CHARACTERS)
            stored = as_stored(record)
            positions = [s.position for s in stored.snapshots]
            for back in (length - position + 1 for position in positions if position > 1):
                assert steps(stored, text[: length - back]) <= 24 * max(back, CHEAP_CHARACTERS)


@pytest.mark.parametrize("back", [300, 3000, 20_000])
def test_going_back_some_more_costs_in_proportion_to_the_way_again(back: int) -> None:
    text = typed_text(30_000)
    record = request(None, WholeText(text))
    for before in range(back, back + 200, 7):
        planned = plan(record, WholeText(text[:-before]), FINGERPRINT, STATE_SIZE)
        after = settle(planned, [NO_STATE] * len(planned.marks))
        for more in (1, 10, 30):
            assert steps(after, text[: -before - more]) <= 16 * CHEAP_CHARACTERS


@given(texts=st.lists(SMALL_TEXTS, max_size=8), sizes=st.data())
@settings(max_examples=60, deadline=None)
def test_a_version_names_one_text(texts: list[str], sizes: st.DataObject) -> None:
    versions = {text: request(None, WholeText(text)).version for text in texts}
    assert len(set(versions.values())) == len(versions)
