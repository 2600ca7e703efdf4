"""A pool refuses wrong arguments with a clear exception, and stays as it was before."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.errors import ModelError
from model.runtime import backends
from model.runtime.native_backend import NativePool
from model.served import Runtime
from tests.model.runtime.fuzzing import CAPACITY, ask_for_cells_that_are_none, drive, pools
from tests.model.runtime.networks import CONTEXTS, random_checkpoint


@pytest.fixture(params=backends.available())
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return Runtime(random_checkpoint("lstm", 1, 16, size=20), request.param)


@pytest.mark.parametrize(
    ("cell", "layers", "hidden", "contexts"),
    [
        ("elman", 1, 48, ()),
        ("gru", 2, 32, CONTEXTS),
        ("lstm", 2, 16, ()),
        ("lstm", 1, 16, CONTEXTS),
    ],
)
def test_all_backends_refuse_the_same_calls_and_keep_their_states(
    cell: str, layers: int, hidden: int, contexts: tuple[str, ...]
) -> None:
    every = pools(cell, layers, hidden, contexts)
    refused = sum(drive(every, seed) for seed in range(4))
    assert 100 < refused < 400


@pytest.mark.parametrize("backend", [name for name in backends.available() if name != "numpy"])
def test_the_compiled_backends_refuse_a_number_that_is_no_cell(backend: str) -> None:
    pool = Runtime(random_checkpoint("lstm", 2, 16, contexts=CONTEXTS), backend).pool(CAPACITY)
    assert isinstance(pool, NativePool)
    for slot in range(CAPACITY):
        pool.start(slot)
    ask_for_cells_that_are_none(pool)


@pytest.mark.parametrize(
    ("slots", "ids", "said"),
    [
        ([4], [0], "slot 4 is not in the pool; its slots are 0 to 3"),
        ([-1], [0], "slot -1 is not in the pool"),
        ([1, 2, 1], [0, 0, 0], "slot 1 is named twice"),
        ([0], [21], "id 21 is not in the vocabulary; the network reads 0 to 20"),
        ([0], [-1], "id -1 is not in the vocabulary"),
        ([0, 1], [0], "ids: 1 of them for 2 slots"),
        ([0, 1, 2, 3, 0], [0] * 5, "slots: 5 of them, but the pool holds 4"),
        ([0.0], [0], "slots: expected integers"),
        ([[0, 1], [2, 3]], [0, 0], "slots: expected one dimension"),
    ],
)
def test_a_wrong_step_says_what_is_wrong(
    runtime: Runtime, slots: Any, ids: list[int], said: str
) -> None:
    pool = runtime.pool(4)
    with pytest.raises((ValueError, TypeError)) as refused:
        pool.step(slots, ids)
    assert said in str(refused.value)


def test_a_state_of_another_length_or_of_impossible_values_is_refused(runtime: Runtime) -> None:
    pool = runtime.pool(1)
    pool.start(0)
    state = pool.read(0)
    with pytest.raises(ModelError, match="has 80 bytes, not 79"):
        pool.write(0, state[:-1])
    for cell in (np.nan, np.inf, 1e12):
        with pytest.raises(ModelError, match="damaged"):
            pool.write(0, state[:-4] + np.float32(cell).tobytes())
    with pytest.raises(ModelError, match="damaged"):
        pool.write(0, b"\x80" + state[1:])
    assert pool.read(0) == state


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e30])
@pytest.mark.parametrize("name", ["cells.0.W", "cells.0.b", "output.bias"])
def test_weights_that_are_no_numbers_are_refused(name: str, value: float) -> None:
    checkpoint = random_checkpoint()
    weights = checkpoint.weights | {name: checkpoint.weights[name].copy()}
    weights[name].flat[0] = value
    with pytest.raises(ModelError, match=f"{name} holds values that are no weights"):
        Runtime(replace(checkpoint, weights=weights))


def test_calls_about_no_slot_at_all_do_nothing(runtime: Runtime) -> None:
    pool = runtime.pool(2)
    pool.step([], [])
    pool.absorb([], [])
    assert [len(part) for part in pool.best([])] == [0, 0]
    assert pool.probabilities(np.zeros(0, np.int32)).shape == (0, 20)


def test_slots_are_given_out_once_and_taken_back_once(runtime: Runtime) -> None:
    pool = runtime.pool(2)
    taken = {pool.acquire(), pool.acquire()}
    assert taken == {0, 1}
    with pytest.raises(ModelError, match="all 2 slots"):
        pool.acquire()
    pool.release(1)
    for slot in (1, 2, -1):
        with pytest.raises(ValueError, match=f"slot {slot} is not taken"):
            pool.release(slot)
    assert pool.acquire() == 1
    with pytest.raises(ValueError, match="capacity: 0"):
        runtime.pool(0)
