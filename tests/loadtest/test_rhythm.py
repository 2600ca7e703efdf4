"""rhythm: the rate over all is the plan's, and keys come in bursts."""

from itertools import islice
from random import Random
from statistics import fmean, median

import pytest

from loadtest.rhythm import BURST_INTERVAL_SECONDS, intervals


@pytest.mark.parametrize("rate", [0.5, 1.6, 10])
def test_the_rate_is_that_of_the_plan(rate: float) -> None:
    waits = list(islice(intervals(Random(1), rate), 40_000))
    assert min(waits) > 0
    assert 1 / fmean(waits) == pytest.approx(rate, rel=0.05)


def test_most_keys_follow_the_last_one_soon() -> None:
    waits = list(islice(intervals(Random(2), 1.6), 40_000))
    assert median(waits) < BURST_INTERVAL_SECONDS
    assert max(waits) > 10
