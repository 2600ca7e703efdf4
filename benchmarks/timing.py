"""Timing of calls on a machine that other programs use, too."""

from collections.abc import Callable, Mapping
from time import process_time
from typing import TypeVar

Name = TypeVar("Name")

# A block of repeated calls takes about this long.
BLOCK_SECONDS = 0.03


def best_seconds(calls: Mapping[Name, Callable[[], object]], rounds: int) -> dict[Name, float]:
    """The processor seconds that one call of each takes, the least of all rounds.

    A round measures every call in turn, so that a change of the processor's speed affects all.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], _block(call, repeats[name]) / repeats[name])
    return best


def _repeats(call: Callable[[], object]) -> int:
    """How many calls fill a block; the calls that find this out also warm the caches."""
    repeats = 1
    while (seconds := _block(call, repeats)) < BLOCK_SECONDS / 4:
        repeats *= 2
    return max(1, int(repeats * BLOCK_SECONDS / seconds))


def _block(call: Callable[[], object], repeats: int) -> float:
    begun = process_time()
    for _ in range(repeats):
        call()
    return process_time() - begun
