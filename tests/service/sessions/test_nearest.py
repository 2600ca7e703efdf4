"""Clients that name no session: which kept text a request goes on from."""

from contextlib import ExitStack

import pytest

from service.sessions.digests import DIGEST_BLOCK
from service.sessions.nearest import MOST_DELETED_WHILE_TYPING, Placement, TextIndex

OWNER = ("default", "fingerprint")
LONG = "".join(f"line {i} of a long text\n" for i in range(200))


class Kept:
    """An index that is asked for one text after another; it collects what the index forgets."""

    def __init__(self, most: int = 100) -> None:
        self.forgotten: list[tuple[str, str]] = []
        self.texts = TextIndex(most, lambda *gone: self.forgotten.append(gone))

    def ask(self, text: str, owner: tuple[str, str] = OWNER) -> Placement:
        with self.texts.place(owner, text) as place:
            return place


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize(
    "start", ["", "def ", LONG, LONG[: 2 * DIGEST_BLOCK], LONG[: 3 * DIGEST_BLOCK - 1]]
)
def test_a_typist_who_types_on_keeps_the_session(kept: Kept, start: str) -> None:
    text = start + "i"
    first = kept.ask(text)
    assert first.source == first.session
    for character in "mport numpy as np\n" * 3:
        text += character
        assert kept.ask(text) == first
    for _ in range(MOST_DELETED_WHILE_TYPING):
        text = text[:-1]
        assert kept.ask(text) == first
    assert len(kept.texts) == 1


def test_no_client_can_name_such_a_session(kept: Kept) -> None:
    from service.http.schema import CompleteRequest
    from service.sessions.nearest import Placement

    place = kept.ask("abc")
    assert isinstance(place, Placement)
    with pytest.raises(ValueError, match="session"):
        CompleteRequest(session=place.session, prefix="abc")


def test_requests_ahead_leave_the_typed_text_as_it_is_and_no_sessions_behind(kept: Kept) -> None:
    # llama.vim asks ahead for the text that would result if its suggestion was accepted.
    text = LONG
    before = kept.ask(text)
    for character in "value = compute(" * 8:
        guess = kept.ask(text + "a whole suggestion of a line\n    and more")
        assert guess.source == before.session
        text += character
        now = kept.ask(text)
        assert now.source in (before.session, guess.session)
        before = now
    assert len(kept.texts) <= 3
    assert len(kept.forgotten) >= 120


def test_a_typist_does_not_take_over_the_longer_text_of_another(kept: Kept) -> None:
    ahead = LONG + "what the first one had not typed yet"
    first = kept.ask(LONG)
    assert kept.ask(ahead) == first
    text = LONG
    places = set()
    for character in "something else":
        text += character
        places.add(kept.ask(text).session)
        ahead += character
        assert kept.ask(ahead) == first
    assert len(places) == 1


def test_two_typists_on_one_file_do_not_take_turns_at_one_session(kept: Kept) -> None:
    one, other = LONG + "here one of them types", LONG + "a" * 40
    first, second = kept.ask(one), kept.ask(other)
    assert second.session != first.session
    assert second.source == first.session
    for i in range(50):
        one += "xy"[i % 2]
        other += "yx"[i % 2]
        assert kept.ask(one) == first
        assert kept.ask(other).session == second.session


def test_a_jump_back_keeps_what_was_there(kept: Kept) -> None:
    first = kept.ask(LONG)
    back = kept.ask(LONG[:2500])
    assert back.session != first.session
    assert back.source == first.session
    assert kept.ask(LONG + "x") == first
    assert kept.ask(LONG[:2500] + "y") == Placement(back.session, back.session)


def test_another_text_takes_nothing_from_a_kept_one(kept: Kept) -> None:
    first = kept.ask("import os")
    other = kept.ask("a poem")
    assert other.session not in (first.session, first.source)
    assert other.source == other.session


def test_the_longest_common_beginning_wins(kept: Kept) -> None:
    cuts = range(100, 4000, 700)
    places = [kept.ask(LONG[:cut] + (f"{cut} " * 300)[:1100]) for cut in cuts]
    assert len({place.session for place in places}) == len(places)
    for cut, place in zip(cuts, places, strict=True):
        assert kept.ask(LONG[:cut] + f"{cut} and on").source == place.session


def test_a_running_request_is_not_superseded(kept: Kept) -> None:
    first = kept.ask("abc")
    with ExitStack() as running:
        places = [running.enter_context(kept.texts.place(OWNER, "abcd")) for _ in range(4)]
    assert places[0] == first
    assert len({place.session for place in places}) == 4
    assert {place.source for place in places} == {first.session}


def test_a_request_that_fails_leaves_what_was_kept(kept: Kept) -> None:
    first = kept.ask("abcdef")
    with pytest.raises(KeyboardInterrupt), kept.texts.place(OWNER, "abcdefgh"):
        raise KeyboardInterrupt
    assert kept.ask("abcdefg") == first
    with pytest.raises(KeyboardInterrupt), kept.texts.place(OWNER, "something else"):
        raise KeyboardInterrupt
    assert len(kept.texts) == 1


def test_tenants_and_models_never_meet(kept: Kept) -> None:
    first = kept.ask("abc")
    for owner in (("other", "fingerprint"), ("default", "another model")):
        place = kept.ask("abcd", owner)
        assert place.source == place.session != first.session


def test_the_least_recent_go_and_are_forgotten() -> None:
    kept = Kept(most=3)
    places = [kept.ask(f"{i} text") for i in range(3)]
    kept.ask("0 text and more")
    kept.ask("3 text")
    assert kept.forgotten == [("default", places[1].session)]
    with kept.texts.place(OWNER, "2 text, running"):
        for i in range(4, 9):
            kept.ask(f"{i} text")
        assert ("default", places[2].session) not in kept.forgotten
    for i in range(9, 12):
        kept.ask(f"{'abc'[i - 9]} text")
    assert ("default", places[2].session) in kept.forgotten
    assert len(kept.texts) == 3


def test_nothing_is_left_of_texts_that_went() -> None:
    kept = Kept(most=1)
    for i in range(20):
        kept.ask(f"{i}" + LONG[i:])
    kept.ask("")
    assert len(kept.texts) == 1
    assert not kept.texts._found
