"""Hashed contexts, against their definition written character by character."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.network.config import CONTEXTS, NetworkConfig
from model.network.contexts import (
    STATE_SIZE,
    Contexts,
    ContextState,
    PackedTable,
    pack_bits,
    pack_rows,
    unpack_rows,
)
from tests.tiny import LEVELS

CONFIG = NetworkConfig("lstm", 1, 16, "ab_ .", contexts=CONTEXTS, context_width=4, context_bits=22)
START = CONFIG.vocabulary().start
M, MASK = 0x9E3779B1, 0xFFFFFFFF


def by_definition(ids: list[int]) -> list[list[int]]:
    """The rows after each id of one text, in Python's own integers."""
    inside = CONFIG.vocabulary().word_ids
    history, word, before, found = [0] * 16, 0, 0, []
    for x in ids:
        if x == START:
            history, word, before = [0] * 16, 0, 0
        if not inside[x] and history[0] and inside[history[0] - 1]:
            before = word
        word = ((word if inside[x] else 0) + x + 1) * M & MASK
        history = [x + 1, *history[:-1]]
        f, orders = 0, {}
        for k, v in enumerate(history, 1):
            f = (f + v) * M & MASK
            orders[str(k)] = f + k * 0x27D4EB2F
        hashes = orders | {
            "word": word + 17 * 0x27D4EB2F,
            "words": word + before * 0x165667B1 + 18 * 0x27D4EB2F,
        }
        found.append([finish(hashes[name] & MASK) >> (32 - 22) for name in CONTEXTS])
    return found


def finish(x: int) -> int:
    x ^= x >> 15
    x = x * 0x85EBCA77 & MASK
    x ^= x >> 13
    x = x * 0xC2B2AE3D & MASK
    return x ^ (x >> 16)


@pytest.fixture
def ids() -> NDArray[np.int32]:
    """Three streams (time, 3) with words of all lengths, bytes, and starts in the middle."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 5, (300, 3)).astype(np.int32)
    ids[rng.random(ids.shape) < 0.1] = START - 1
    ids[rng.random(ids.shape) < 0.03] = START
    ids[100:180, 1] = 0
    ids[0] = START
    return ids


def test_rows_are_those_of_the_definition(ids: NDArray[np.int32]) -> None:
    rows, _ = Contexts(CONFIG).follow(ids, ContextState.initial(3))
    for stream in range(3):
        assert rows[:, stream].tolist() == by_definition(ids[:, stream].tolist())


@pytest.mark.parametrize("window", [1, 2, 7, 64])
def test_windows_give_the_rows_of_the_whole_text(ids: NDArray[np.int32], window: int) -> None:
    contexts = Contexts(CONFIG)
    whole, end = contexts.follow(ids, ContextState.initial(3))
    state, parts = ContextState.initial(3), []
    for begin in range(0, len(ids), window):
        part, state = contexts.follow(ids[begin : begin + window], state)
        parts.append(part)
        np.testing.assert_array_equal(contexts.rows(state), part[-1])
        state = ContextState.from_bytes(state.to_bytes())
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(state.to_bytes(), end.to_bytes())


def test_a_state_is_forty_bytes_and_all_zeros_before_anything_is_read() -> None:
    state = ContextState.initial(2).to_bytes()
    assert state.shape == (2, STATE_SIZE) == (2, 40)
    assert not state.any()


def test_the_state_holds_the_last_ids_newest_first() -> None:
    _, state = Contexts(CONFIG).follow(np.array([[START], [1], [2]]), ContextState.initial(1))
    assert state.to_bytes()[0, :8].tolist() == [3, 0, 2, 0, (START + 1) & 255, 0, 0, 0]


def test_a_packed_table_gives_kept_rows_and_zeros() -> None:
    rng = np.random.default_rng(1)
    kept = np.sort(rng.choice(1 << 16, 5000, replace=False))
    codes = rng.integers(0, 16, (5000, 8), np.uint8)
    whole = np.zeros((1 << 16, 8), np.int8)
    whole[kept] = LEVELS[codes]
    table = PackedTable(pack_bits(kept, 16), pack_rows(codes), LEVELS)
    every = np.arange(1 << 16)
    np.testing.assert_array_equal(table.look_up(every), whole)
    np.testing.assert_array_equal(table.look_up(every.reshape(256, 256)[::-1]).shape, (256, 256, 8))
    np.testing.assert_array_equal(table.slots(kept), np.arange(5000))
    assert table.slots(np.setdiff1d(every, kept)).min() == 5000


def test_rows_are_packed_with_their_second_half_in_the_high_bits() -> None:
    packed = pack_rows(np.array([[0, 7, 8, 15], [9, 10, 11, 12]], np.uint8))
    assert packed.tolist() == [[0x80, 0xF7], [0xB9, 0xCA]]
    assert unpack_rows(packed, LEVELS).tolist() == [[-120, -15, 0, 105], [15, 30, 45, 60]]


def test_word_ids_are_letters_digits_underscores_and_all_beyond_ascii() -> None:
    vocabulary = NetworkConfig("lstm", 1, 16, "a_ .9é\u2013").vocabulary()
    inside = vocabulary.word_ids
    assert len(inside) == vocabulary.size + 1
    assert inside[:7].tolist() == [True, True, False, False, True, True, True]
    assert not inside[vocabulary.start]
    assert inside[vocabulary.spell("Z")[0]]
    assert not inside[vocabulary.spell("-")[0]]
    assert inside[list(vocabulary.spell("ß"))].all()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"contexts": ["1"], "context_width": 8, "context_bits": 20}, "contexts: '1'"),
        ({"contexts": ["2", "2"], "context_width": 8, "context_bits": 20}, "contexts"),
        ({"contexts": ["2"], "context_width": 6, "context_bits": 20}, "context_width: 6"),
        ({"contexts": ["2"], "context_width": 8, "context_bits": 27}, "context_bits: 27"),
        ({"context_width": 8}, "context_width"),
    ],
)
def test_contexts_that_no_network_can_have_are_refused(
    fields: dict[str, list[str] | int], named: str
) -> None:
    plain = NetworkConfig("lstm", 1, 16, "ab").to_json()
    assert "contexts" not in plain
    with pytest.raises(ValueError, match=named):
        NetworkConfig(**(plain | fields))


def test_a_config_with_contexts_goes_through_json() -> None:
    assert NetworkConfig(**CONFIG.to_json()) == CONFIG
    assert CONFIG.output_inputs == 16 + 17 * 4
