"""Random calls of pools, with right and wrong arguments, on several backends at once.

As a program it tests the library that is named, which may be one built with sanitizers:
`python -m tests.model.runtime.fuzzing LIBRARY SEED…`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from model.errors import ModelError
from model.network.config import CELL_KINDS
from model.runtime import Pool, backends, native_library
from model.runtime.native_backend import NativePool
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, everything, random_checkpoint

REFUSALS = (ValueError, TypeError, ModelError)
CAPACITY = 9


def integers(random: Random, count: int, below: int) -> Any:
    """`count` distinct numbers below `below`, in one of the forms in which a caller has them."""
    numbers = random.sample(range(below), count)
    form = random.randrange(6)
    if form == 0:
        return numbers
    if form == 1:
        return tuple(numbers)
    array = np.array(numbers, random.choice(["i8", "i4", "u1" if below < 256 else "i4", ">i4"]))
    if form == 2:
        return np.repeat(array, 3)[::3]
    if form == 3:
        return array[::-1]
    if form == 4:
        return np.lib.stride_tricks.as_strided(array)
    return array


def spoiled(random: Random, numbers: Any, below: int) -> Any:
    """The same numbers, made wrong in one of many ways."""
    listed = [int(number) for number in numbers]
    at = random.randrange(len(listed))
    wrong: list[Any] = [-1, below, 2**31, 2**40, -(2**63), 2**63, 2**70, 0.5, "a", None, [1]]
    form = random.randrange(8)
    if form < 4:
        return [*listed[:at], random.choice(wrong), *listed[at + 1 :]]
    if form == 4:
        return np.array(listed, random.choice(["f4", "f8", "u8", "c8", "S3", "O"]))
    if form == 5:
        return np.array([listed, listed])
    if form == 6:
        return [*listed, *range(below, below + 300)]
    return random.choice([None, 3, "abc", object(), np.int64(2)])


def random_state(random: Random, pool: Pool) -> Any:
    """Bytes that may be a state, one of another length, or one with impossible values."""
    state = bytearray(pool.read(random.randrange(CAPACITY)))
    form = random.randrange(6)
    if form == 0:
        return bytes(state)[: random.randrange(len(state))]
    if form == 1:
        return bytes(state) + b"x"
    if form == 2:
        return random.randbytes(len(state))
    if form == 3:
        return random.choice([state, None, "x" * len(state), memoryview(state)])
    if form == 4:
        at = random.randrange(0, len(state), 4)
        bad = random.choice([np.nan, np.inf, -np.inf, 1e30])
        state[at : at + 4] = np.float32(bad).tobytes()
    return bytes(state)


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call; any of them may be wrong."""

    slots: Any
    ids: Any
    texts: Any
    slot: Any
    state: Any


def arguments(random: Random, pool: Pool) -> Arguments:
    """Arguments for any of the calls below, right ones or wrong ones."""
    count = random.randrange(1, CAPACITY + 1)
    size = pool.network.size
    slots = integers(random, count, CAPACITY)
    ids = integers(random, count, size + 1)
    texts: Any = [integers(random, random.randrange(size), size + 1) for _ in range(count)]
    for _ in range(random.choice([0, 0, 1, 2])):
        which = random.randrange(5)
        if which == 0:
            slots = spoiled(random, range(count), CAPACITY)
        elif which == 1:
            slots = [*range(count), random.randrange(count)]
        elif which == 2:
            ids = spoiled(random, range(count), size + 1)
        elif which == 3:
            ids = [0] * random.randrange(2 * CAPACITY)
        else:
            texts = random.choice([None, [], [[], spoiled(random, [1], size + 1)] * count])
    slot = random.choice([*range(CAPACITY), CAPACITY, -1, 2**70, 1.5, "0", None])
    return Arguments(slots, ids, texts, slot, random_state(random, pool))


CALLS: list[Callable[[Pool, Arguments], Any]] = [
    lambda pool, given: pool.step(given.slots, given.ids),
    lambda pool, given: pool.step(given.slots, given.ids),
    lambda pool, given: [part.tobytes() for part in pool.follow(given.slots, given.ids)],
    lambda pool, given: pool.predict(given.slots, given.ids).tobytes(),
    lambda pool, given: pool.absorb(given.slots, given.texts),
    lambda pool, given: [part.tobytes() for part in pool.best(given.slots)],
    lambda pool, given: pool.logits(given.slots).tobytes(),
    lambda pool, given: pool.probabilities(given.slots).tobytes(),
    lambda pool, given: pool.hidden(given.slots).tobytes(),
    lambda pool, given: pool.write(given.slot, given.state),
    lambda pool, given: pool.read(given.slot),
    lambda pool, given: pool.clear(given.slot),
]


def drive(pools: list[Pool], seed: int, calls: int = 120) -> int:
    """Makes the same random calls on all pools; returns how many of them were refused.

    Raises AssertionError where pools differ: in what they refuse, or in any bit of any state.
    """
    random = Random(seed)
    refused = 0
    for pool in pools:
        for slot in range(CAPACITY):
            pool.start(slot)
    for _ in range(calls):
        given, call = arguments(random, pools[0]), random.choice(CALLS)
        before = everything(pools[0], range(CAPACITY))
        said = [_outcome(pool, given, call) for pool in pools]
        assert all(one == said[0] for one in said), (seed, given, said)
        after = [everything(pool, range(CAPACITY)) for pool in pools]
        assert all(one == after[0] for one in after), (seed, given)
        if said[0][0] is not None:
            refused += 1
            assert after[0] == before, "a refused call changed something"
    return refused


def _outcome(
    pool: Pool, given: Arguments, call: Callable[[Pool, Arguments], Any]
) -> tuple[str | None, Any]:
    try:
        return None, call(pool, given)
    except REFUSALS as error:
        return f"{type(error).__name__}: {error}", None


def ask_for_cells_that_are_none(pool: NativePool) -> None:
    """Makes every call that computes, with numbers that name no kind of cell.

    Fails where a call is not refused, or where a call changes anything.
    """
    structure = pool._native.structure
    state, known = pool.read(0), structure.cell
    before = everything(pool, range(CAPACITY))
    calls: list[Callable[[], object]] = [
        lambda: pool.step([0], [1]),
        lambda: pool.follow([0], [1]),
        lambda: pool.predict([0], [1]),
        lambda: pool.absorb([0], [np.array([1, 2], np.int32)]),
        lambda: pool.best([0]),
        lambda: pool.logits([0]),
        lambda: pool.write(1, state),
    ]
    for cell in (-1, len(CELL_KINDS), 2**40, -(2**63)):
        structure.cell = cell
        for call in calls:
            with pytest.raises(ValueError, match="none that the compiled backends compute"):
                call()
    structure.cell = known
    assert everything(pool, range(CAPACITY)) == before


def pools(cell: str, layers: int, hidden: int, contexts: tuple[str, ...] = ()) -> list[Pool]:
    """A pool of the same network on every backend."""
    checkpoint = random_checkpoint(cell, layers, hidden, size=20, contexts=contexts)
    return [Runtime(checkpoint, name).pool(CAPACITY) for name in backends.available()]


if __name__ == "__main__":
    native_library.LIBRARY = Path(sys.argv[1])
    assert native_library.compiled(), f"{sys.argv[1]} does not load"
    for number in sys.argv[2:]:
        for network in (("elman", 1, 48), ("gru", 2, 32), ("lstm", 2, 16), ("lstm", 1, 80)):
            for contexts in ((), CONTEXTS):
                every = pools(*network, contexts)
                drive(every, int(number), calls=60)
                for pool in every:
                    if isinstance(pool, NativePool):
                        ask_for_cells_that_are_none(pool)
