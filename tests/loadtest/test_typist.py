"""The typist's side of a session in loadtest.typist."""

from typing import Any

from loadtest.texts import Passage
from loadtest.typist import Typist


def answer(length: int, completion: str = "", version: int = 7) -> dict[str, Any]:
    return {"length": length, "completion": completion, "version": version}


def typist(text: str = "import numpy", opened: int = 2) -> Typist:
    return Typist("s", Passage(text, opened))


def test_the_first_request_opens_the_text_that_stands() -> None:
    request = typist().request()
    assert request.kind == "open"
    assert request.body == {"session": "s", "prefix": "im"}


def test_later_requests_send_what_is_new_since_the_last_answer() -> None:
    one = typist()
    one.take_answer(one.request(), answer(2))
    one.press()
    one.press()
    assert one.request().body["edit"] == {"version": 7, "keep": 2, "append": "po"}


def test_a_suggestion_is_taken_with_one_key() -> None:
    one = typist()
    one.take_answer(one.request(), answer(2, "port numpy"))
    assert one.press().accepts == "suggestion"
    assert one.finished


def test_an_answer_to_an_older_key_is_not_shown_but_what_it_says_is_held_counts() -> None:
    one = typist()
    late = one.request()
    one.press()
    newest = one.request()
    one.take_answer(late, answer(2, "port", version=1))
    assert one.suggestion == ""
    one.take_answer(newest, answer(3, "ort", version=2))
    assert one.suggestion == "ort"
    assert one.request().body["edit"]["version"] == 2


def test_a_late_answer_does_not_bring_back_an_older_version() -> None:
    one = typist()
    late = one.request()
    one.press()
    one.take_answer(one.request(), answer(3, version=2))
    one.take_answer(late, answer(2, version=1))
    assert one.request().body["edit"]["version"] == 2


def test_after_a_resync_the_whole_text_is_sent_once() -> None:
    one = typist()
    one.take_answer(one.request(), answer(2))
    one.press()
    one.forget_held()
    request = one.request()
    assert request.kind == "prefix"
    assert request.body["prefix"] == "imp"
    one.take_answer(request, answer(3))
    assert one.request().kind == "edit"
