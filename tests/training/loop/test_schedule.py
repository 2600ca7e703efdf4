import pytest

from training.loop.schedule import Budget, Clock, learning_rate


def test_the_learning_rate_warms_up_and_falls_to_zero_as_a_cosine() -> None:
    rates = [learning_rate(share / 1000, 1.0, warm_up=0.1) for share in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[50] == pytest.approx(0.5)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 100
    assert rates[550] == pytest.approx(0.5)
    assert rates[1000] == pytest.approx(0.0)


def test_the_learning_rate_may_fall_in_a_straight_line() -> None:
    rates = [learning_rate(share, 2.0, 0.1, "linear") for share in (0.1, 0.325, 0.55, 0.775, 1)]
    assert rates == pytest.approx([2, 1.5, 1, 0.5, 0])


def test_a_budget_of_minutes_is_spent_by_the_clock_and_one_of_steps_by_the_steps() -> None:
    now = 0.0
    minutes = Clock(Budget(minutes=2), lambda: now)
    both = Clock(Budget(minutes=2, steps=10), lambda: now)
    now = 30.0
    assert minutes.spent(step=10**6) == pytest.approx(0.25)
    assert both.spent(step=1) == pytest.approx(0.25)
    assert both.spent(step=9) == pytest.approx(0.9)
    now = 1000.0
    assert both.spent(step=9) == 1.0


@pytest.mark.parametrize(
    ("budget", "message"),
    [({}, "minutes, of steps"), ({"minutes": 0.0}, "minutes: 0"), ({"steps": -1}, "steps: -1")],
)
def test_a_budget_that_is_none_is_refused(budget: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**budget)


def test_a_budget_that_nobody_names_is_one_of_minutes() -> None:
    assert Budget.or_default() == Budget(minutes=10)
    assert Budget.or_default(epochs=2) == Budget(epochs=2)
