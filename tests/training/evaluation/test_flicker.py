from training.evaluation.flicker import Flicker, flicker, flicker_in_all


def seen(text: str, *shown: str) -> Flicker:
    return flicker(text, lambda position: shown[position])


def test_what_stays_or_grows_does_not_flicker() -> None:
    assert seen("abcd", "abc", "bc", "cde", "de") == Flicker(3, 0)


def test_what_shrinks_vanishes_or_becomes_another_flickers() -> None:
    assert seen("abcd", "abcd", "bc", "c", "x") == Flicker(3, 1)
    assert seen("abcd", "abc", "", "", "") == Flicker(1, 1)
    assert seen("abcd", "abc", "bx", "", "") == Flicker(2, 2)


def test_what_was_wrong_or_has_been_typed_whole_may_give_way() -> None:
    assert seen("abcd", "x", "b", "", "") == Flicker(1, 0)
    assert flicker("a", lambda _: "a") == Flicker(0, 0)
    assert Flicker(0, 0).share is None


def test_texts_are_taken_together() -> None:
    assert flicker_in_all([Flicker(3, 1), Flicker(5, 1)]).share == 0.25
