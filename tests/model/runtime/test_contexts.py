"""Hashed contexts as served: the same bits from every backend, states that are whole, one table."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.checkpoint import Checkpoint, save
from model.errors import ModelError
from model.network.config import CONTEXTS as EVERY
from model.network.contexts import STATE_SIZE, Contexts, ContextState
from model.runtime import Pool, backends
from model.runtime.reference import Reference
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, everything, random_checkpoint

CAPACITY = 7


@pytest.fixture(scope="module")
def pools() -> list[Pool]:
    """A pool of one network with all contexts on every backend."""
    checkpoint = random_checkpoint("lstm", 1, 32, contexts=EVERY, width=4)
    return [Runtime(checkpoint, name).pool(CAPACITY) for name in backends.available()]


@pytest.mark.parametrize("backend", backends.available())
@pytest.mark.parametrize(("cell", "layers"), [("elman", 1), ("gru", 2), ("lstm", 1), ("lstm", 2)])
def test_a_state_is_the_one_of_the_reference(cell: str, layers: int, backend: str) -> None:
    runtime = Runtime(random_checkpoint(cell, layers, 48, contexts=CONTEXTS), backend)
    pool, reference = runtime.pool(2), Reference(runtime.network)
    pool.start(1)
    ids = runtime.vocabulary.encode("def a_word(of, é) ß x = in(a_word)").tolist()
    for index in [*ids, runtime.network.size, *ids[:20]]:
        pool.step([1], [index])
        reference.step(index)
        assert pool.read(1) == reference.read()
        probabilities = reference.probabilities().numpy()
        assert pool.probabilities([1])[0].tobytes() == probabilities.tobytes()
        assert pool.best([1])[0][0] == probabilities.argmax()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_backends_agree_on_any_ids_in_any_batches(pools: list[Pool], data: st.DataObject) -> None:
    """Words and what is between them, bytes, start symbols in the middle, slots never started."""
    size = pools[0].network.size
    some = st.lists(st.sampled_from([0, 1, 2, 30, 31, size - 1, size]), min_size=1, max_size=25)
    texts = data.draw(st.lists(some, min_size=1, max_size=CAPACITY))
    slots = data.draw(st.permutations(range(CAPACITY)))[: len(texts)]
    started = data.draw(st.booleans())
    for pool in pools:
        for slot in range(CAPACITY):
            (pool.start if started else pool.clear)(slot)
        pool.absorb(slots, [np.array(text, np.int32) for text in texts])
    said = [everything(pool, slots) for pool in pools]
    assert all(one == said[0] for one in said)
    contexts = Contexts(pools[0].network.config)
    for slot, text in zip(slots, texts, strict=True):
        read = np.array([[size] * started + text]).T
        _, known = contexts.follow(read, ContextState.initial(1))
        assert pools[0].read(slot)[-STATE_SIZE:] == known.to_bytes().tobytes()


@pytest.mark.parametrize("backend", backends.available())
def test_a_step_and_what_it_predicts_in_one_call_are_the_two_calls(backend: str) -> None:
    random = np.random.default_rng(4)
    pool = Runtime(random_checkpoint("gru", 2, 48, contexts=CONTEXTS), backend).pool(26)
    together, apart = np.arange(13), np.arange(13, 26)
    for slot in range(26):
        pool.start(slot)
    for count in (1, 2, 13, 7, 13, 1, 5):
        ids = random.integers(0, pool.network.size + 1, count)
        pool.step(apart[:count], ids)
        best, probability = pool.best(apart[:count])
        if count % 2:
            followed = pool.follow(together[:count], ids)
            assert [part.tobytes() for part in followed] == [best.tobytes(), probability.tobytes()]
        else:
            predicted = pool.predict(together[:count], ids)
            assert predicted.tobytes() == pool.probabilities(apart[:count]).tobytes()
        assert everything(pool, together[:count]) == everything(pool, apart[:count])


@pytest.mark.parametrize(
    ("hidden", "width", "kept"), [(1024, 64, 1 << 15), (16, 4, 1 << 16), (16, 20, 0), (16, 28, 1)]
)
def test_tables_and_widths_of_all_kinds_give_the_same_bits(
    hidden: int, width: int, kept: int
) -> None:
    """Beyond 1,040 columns numpy sums in double precision; columns may be no multiple of 8."""
    checkpoint = random_checkpoint("elman", 1, hidden, size=70, contexts=EVERY[::5], width=width)
    rows = checkpoint.weights["contexts.rows"]
    bits = np.arange(1 << 16) >= (1 << 16) - kept
    checkpoint.weights["contexts.kept"] = np.packbits(bits, bitorder="little")
    checkpoint.weights["contexts.rows"] = np.resize(rows, (kept, width // 2))
    pools = [Runtime(checkpoint, name).pool(5) for name in backends.available()]
    for pool in pools:
        for slot in range(5):
            pool.start(slot)
        pool.absorb(range(5), [np.arange(slot, 40, 3, dtype=np.int32) for slot in range(5)])
    assert len({everything(pool, range(5)) for pool in pools}) == 1


@pytest.mark.parametrize("backend", backends.available())
def test_the_largest_sums_with_contexts_are_exact(backend: str) -> None:
    """All weights, states and rows have their largest magnitude: nothing saturates or overflows."""
    checkpoint = random_checkpoint("elman", 1, 512, size=5, contexts=EVERY[:16], width=32)
    for name, weights in checkpoint.weights.items():
        if not name.startswith("contexts."):
            weights.fill(-1)
    checkpoint.weights["contexts.kept"].fill(255)
    checkpoint.weights["contexts.rows"] = np.zeros((1 << 16, 16), np.uint8)
    runtime = Runtime(checkpoint, backend)
    pool = runtime.pool(1)
    pool.write(0, bytes([129]) * 512 + bytes(STATE_SIZE))
    exact = np.float32(1024 * 127**2) * runtime.network.output.scale - np.float32(1)
    assert (pool.logits([0])[0] == exact).all()


@pytest.mark.parametrize("backend", backends.available())
def test_a_state_goes_through_bytes_and_back(backend: str) -> None:
    runtime = Runtime(random_checkpoint("gru", 2, 32, contexts=CONTEXTS), backend)
    pool = runtime.pool(2)
    pool.start(0)
    pool.absorb([0], [runtime.vocabulary.encode("some words before it")])
    state = pool.read(0)
    assert len(state) == runtime.state_size == 2 * 4 * 32 + STATE_SIZE
    pool.write(1, state)
    assert everything(pool, [0])[1:] == everything(pool, [1])[1:]
    pool.clear(1)
    assert pool.read(1) == bytes(runtime.state_size)


HISTORIES = {
    "an id beyond the start symbol": ([22, 1], 0, 0),
    "an id before nothing": ([1, 0, 2], 0, 0),
    "an id before the start symbol": ([1, 21, 2], 0, 0),
    "a start symbol before the start symbol": ([21, 21], 0, 0),
    "a word where nothing was read": ([], 1, 0),
    "a word before it where nothing was read": ([], 0, 1),
}


@pytest.mark.parametrize("backend", backends.available())
@pytest.mark.parametrize("damage", HISTORIES)
def test_a_history_that_no_text_leads_to_is_refused(damage: str, backend: str) -> None:
    pool = Runtime(random_checkpoint("lstm", 1, 16, size=20, contexts=CONTEXTS), backend).pool(1)
    pool.start(0)
    before, (newest, *words) = pool.read(0), HISTORIES[damage]
    history = np.zeros(16, "<u2")
    history[: len(newest)] = newest
    damaged = before[:-STATE_SIZE] + history.tobytes() + np.array(words, "<u4").tobytes()
    with pytest.raises(ModelError, match="damaged"):
        pool.write(0, damaged)
    with pytest.raises(ModelError, match="has 120 bytes, not 80"):
        pool.write(0, before[:-STATE_SIZE])
    assert pool.read(0) == before


@pytest.mark.parametrize("backend", backends.available())
def test_histories_at_their_ends_are_taken(backend: str) -> None:
    pool = Runtime(random_checkpoint("lstm", 1, 16, size=20, contexts=CONTEXTS), backend).pool(1)
    for newest in ([20] * 16, [20] * 15 + [21], [1], [21], []):
        history = np.zeros(16, "<u2")
        history[: len(newest)] = newest
        state = bytes(80) + history.tobytes() + np.full(2, 2**32 - 1 if newest else 0).tobytes()[:8]
        pool.write(0, state)
        assert pool.read(0) == state


def _without_a_row(checkpoint: Checkpoint) -> None:
    checkpoint.weights["contexts.rows"] = checkpoint.weights["contexts.rows"][:-1]


def _of_wide_rows(checkpoint: Checkpoint) -> None:
    checkpoint.weights["contexts.rows"] = checkpoint.weights["contexts.rows"].astype(np.int16)


def _without_a_level_of_zero(checkpoint: Checkpoint) -> None:
    checkpoint.weights["contexts.levels"] = checkpoint.weights["contexts.levels"] + np.int8(1)


def _with_a_level_of_128(checkpoint: Checkpoint) -> None:
    checkpoint.weights["contexts.levels"] = np.array([-128, *[0] * 15], np.int8)


def _of_half_the_bits(checkpoint: Checkpoint) -> None:
    checkpoint.weights["contexts.kept"] = checkpoint.weights["contexts.kept"][: 1 << 12]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without_a_row, "contexts.rows is not the 32768 packed rows"),
        (_of_wide_rows, "contexts.rows is not the 32768 packed rows"),
        (_without_a_level_of_zero, "contexts.levels are not"),
        (_with_a_level_of_128, "contexts.levels are not"),
        (_of_half_the_bits, "contexts.kept is no bitmap of 2\\^16 rows"),
    ],
)
def test_a_damaged_table_is_refused(damage: object, said: str) -> None:
    checkpoint = random_checkpoint("lstm", 1, 16, contexts=CONTEXTS)
    assert callable(damage)
    damage(checkpoint)
    with pytest.raises(ModelError, match=said):
        Runtime(checkpoint)


IN_A_WORKER = """
import json, sys
import numpy as np
import psutil
from model.checkpoint import load
from model.served import Runtime

def anonymous():
    return sum(part.anonymous for part in psutil.Process().memory_maps(grouped=False))

before = anonymous()
runtime = Runtime(load(sys.argv[1]))
pool = runtime.pool(16)
for slot in range(16):
    pool.start(slot)
for step in range(200):
    pool.follow(range(16), np.random.default_rng(step).integers(0, 30, 16))
address = runtime.network.contexts.table.rows.ctypes.data
for part in psutil.Process().memory_maps(grouped=False):
    begin, end = (int(place, 16) for place in part.addr.split("-"))
    if begin <= address < end:
        print(json.dumps([part.path, part.rss, part.anonymous, anonymous() - before]))
"""


def test_the_table_stays_in_its_file_where_workers_share_it(tmp_path: Path, root: Path) -> None:
    checkpoint = random_checkpoint("lstm", 1, 64, contexts=EVERY[:9], width=64, bits=20)
    rows = checkpoint.weights["contexts.rows"]
    save(tmp_path, checkpoint.config, checkpoint.weights, {})
    done = subprocess.run(
        [sys.executable, "-c", IN_A_WORKER, tmp_path],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    path, resident, copied, grown = json.loads(done.stdout)
    assert path == str(tmp_path / "model.safetensors")
    assert resident > rows.nbytes * 0.9
    assert copied == 0
    assert grown < rows.nbytes / 3
