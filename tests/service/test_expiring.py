"""The expiring map: which entries are dropped, and when."""

import pytest

from service.expiring import ExpiringMap
from tests.service.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_the_least_recent_go_first_and_all_after_their_time(clock: ManualClock) -> None:
    held = ExpiringMap[str, int](2, 600, clock)
    for value, key in enumerate(("a", "b", "a", "c")):
        held.put(key, value)
    assert [held.get(key) for key in ("a", "b", "c")] == [2, None, 3]
    clock.now = 599
    held.expire()
    assert held.keys() == ("a", "c")
    clock.now = 600
    held.expire()
    assert held.keys() == ()


def test_what_has_expired_is_neither_got_nor_counted(clock: ManualClock) -> None:
    held = ExpiringMap[str, int](2, 600, clock)
    held.put("a", 1)
    clock.now = 600
    assert held.get("a") is None
    held.put("b", 1)
    clock.now = 1200
    assert len(held) == 0


def test_a_value_that_is_put_again_lives_from_then_on_and_to_get_it_renews_nothing(
    clock: ManualClock,
) -> None:
    held = ExpiringMap[str, int](2, 600, clock)
    for key in ("a", "b"):
        held.put(key, 1)
    clock.now = 300
    held.put("a", 2)
    assert held.get("b") == 1
    clock.now = 600
    assert (held.get("a"), held.get("b")) == (2, None)


def test_sizes_are_bounded_as_they_were_when_their_values_were_put() -> None:
    held = ExpiringMap[str, list[int]](5, size_of=len)
    first = [1, 2]
    held.put("a", first)
    held.put("b", [3, 4])
    first.append(5)
    assert held.total == 4
    held.put("c", [6, 7])
    assert held.keys() == ("b", "c")
    assert held.total == 4
    held.put("b", [8])
    assert held.keys() == ("c", "b")
    assert held.total == 3


def test_what_is_larger_than_the_bound_is_not_held() -> None:
    held = ExpiringMap[str, list[int]](2, size_of=len)
    held.put("a", [1, 2, 3])
    assert (held.get("a"), held.total) == (None, 0)
    nothing = ExpiringMap[str, int](0)
    nothing.put("a", 1)
    assert nothing.get("a") is None


def test_what_is_popped_or_cleared_is_gone() -> None:
    held = ExpiringMap[str, list[int]](9, size_of=len)
    for key in ("a", "b", "c"):
        held.put(key, [1, 2])
    assert held.pop("b") == [1, 2]
    assert held.pop("b") is None
    assert (held.keys(), held.total) == (("a", "c"), 4)
    held.clear()
    assert (held.keys(), held.total, len(held)) == ((), 0, 0)
