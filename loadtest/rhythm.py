"""When a typist presses keys: bursts of keys, and pauses between the bursts.

Within a burst the intervals are log-normal with a mean of 238 ms, as measured for 168,000 people
(Dhakal et al., "Observations on Typing from 136 Million Keystrokes", CHI 2018). The pauses are
exponential, and so long that the rate over all is what the plan says.
"""

import math
from collections.abc import Iterator
from random import Random

BURST_INTERVAL_SECONDS = 0.238
# The spread of the logarithm; with it, one interval in a hundred is longer than 0.8 s.
SIGMA = 0.6
# How many keys a burst has on average.
BURST_KEYS = 10


def intervals(random: Random, keys_per_second: float) -> Iterator[float]:
    """The seconds before each key, without end. A fast typist has no pauses, only faster bursts."""
    mean = min(BURST_INTERVAL_SECONDS, 1 / keys_per_second)
    pause = BURST_KEYS / keys_per_second - (BURST_KEYS - 1) * mean
    location = math.log(mean) - SIGMA**2 / 2
    while True:
        if random.random() < 1 / BURST_KEYS:
            yield random.expovariate(1 / pause)
        else:
            yield random.lognormvariate(location, SIGMA)
