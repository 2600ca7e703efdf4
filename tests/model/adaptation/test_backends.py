"""C and Python compute the same bits, whatever is absorbed, taken back, pushed and mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.adaptation.engine import Engine, Stale
from model.adaptation.index import LIMIT, Symbols
from model.adaptation.native import NativeEngine
from model.adaptation.parameters import Parameters
from model.adaptation.plain import PlainEngine
from model.runtime.arithmetic import Floats
from model.vocabulary import Vocabulary
from tests.model.adaptation.primed import UNITS, network_output, random_parameters

VOCABULARY = Vocabulary("\n abcdef._1é", byte_fallback=False)
NO_LINES = Vocabulary("abcdef", byte_fallback=False)

# Pieces that come back, so that there are matches of all lengths.
PIECES = ("abc", "abc def", "\n    a", " 1.a", "_b", "é", "f", "\n", "abc def abc def.a\n")
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def engines(vocabulary: Vocabulary, parameters: Parameters) -> tuple[Engine[Any, Any], ...]:
    symbols = Symbols.of(vocabulary)
    return NativeEngine(parameters, symbols), PlainEngine(parameters, symbols)


def distributions(seed: int, rows: int, size: int) -> Floats:
    """Distributions from flat to almost certain, with zeros."""
    random = np.random.default_rng(seed)
    sharpness = random.choice([0.02, 0.3, 5.0], (rows, 1))
    p = random.gamma(np.broadcast_to(sharpness, (rows, size)))
    p /= np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
    return p.astype(np.float32)


def same(first: Floats, second: Floats) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


@settings(max_examples=60)
@given(
    steps=st.lists(st.tuples(texts, st.floats(0, 1)), min_size=1, max_size=4),
    pushed=st.lists(st.integers(0, VOCABULARY.size - 1), max_size=6),
    seed=st.integers(0, 999),
    units=st.integers(1, 600),
)
def test_backends_agree(
    steps: Sequence[tuple[str, float]], pushed: Sequence[int], seed: int, units: int
) -> None:
    native, plain = engines(VOCABULARY, random_parameters(seed, units=units))
    one, other = native.index(), plain.index()
    for text, kept in steps:
        for index in (one, other):
            index.absorb(VOCABULARY.encode(text))
        assert one.content() == other.content()
        for index in (one, other):
            index.truncate(round(kept * index.length))
        assert one.content() == other.content()

        cursors = [[engine.cursor(index)] for engine, index in ((native, one), (plain, other))]
        for number in pushed:
            for row in cursors:
                row.append(row[-1].copy())
                row[-1].push(number)
        p = distributions(seed, len(pushed) + 1, VOCABULARY.size)
        said = network_output(p, seed, units)
        mixed = native.mix(cursors[0], said)
        assert same(mixed, plain.mix(cursors[1], said))
        for engine, row in zip((native, plain), cursors, strict=True):
            ids, highest = engine.best(row, said)
            assert (ids == mixed.argmax(axis=1)).all()
            assert same(highest, mixed.max(axis=1))


@pytest.mark.parametrize("vocabulary", [VOCABULARY, NO_LINES], ids=["lines", "no lines"])
def test_backends_collect_the_same_features(vocabulary: Vocabulary) -> None:
    random = np.random.default_rng(1)
    ids = random.integers(0, vocabulary.size, 500).astype(np.int32)
    ids[200:300] = ids[:100]
    ids[400:] = ids[250:350]
    p = distributions(2, len(ids), vocabulary.size)
    found = [engine.collect(engine.index(), ids, p) for engine in engines(vocabulary, neutral())]
    for name in ("counts", "ids", "shared", "own"):
        assert (getattr(found[0], name) == getattr(found[1], name)).all(), name
    assert found[0].counts.sum() > 1000


def test_a_full_index_is_the_same_for_both() -> None:
    random = np.random.default_rng(3)
    ids = random.choice(random.integers(0, VOCABULARY.size, 500), LIMIT).astype(np.int32)
    for start in range(0, LIMIT - 60, 400):
        ids[start : start + 60] = ids[:60]
    native, plain = engines(VOCABULARY, random_parameters())
    one, other = native.index(), plain.index()
    for index in (one, other):
        index.absorb(ids)
        index.truncate(LIMIT - 3)
        index.absorb(ids[-3:])
    assert one.content() == other.content()
    said = network_output(distributions(4, 1, VOCABULARY.size))
    assert same(native.mix([native.cursor(one)], said), plain.mix([plain.cursor(other)], said))


@pytest.mark.parametrize("number", [0, 1], ids=["native", "plain"])
def test_what_an_engine_refuses(number: int) -> None:
    engine = engines(VOCABULARY, neutral())[number]
    index = engine.index()
    index.absorb(VOCABULARY.encode("abc abc"))
    before = index.content()
    cursor = engine.cursor(index)
    said = network_output(distributions(0, 1, VOCABULARY.size))
    for bad in (-1, VOCABULARY.size, 2**40):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            cursor.push(bad)
    with pytest.raises(ValueError, match="not in the vocabulary"):
        index.absorb(np.array([1, VOCABULARY.size], np.int32))
    with pytest.raises(ValueError, match="probabilities"):
        engine.mix([cursor], said._replace(probabilities=said.probabilities[:, 1:]))
    with pytest.raises(ValueError, match="hidden"):
        engine.mix([cursor], said._replace(hidden=said.hidden[:, 1:]))
    with pytest.raises(ValueError, match="hidden"):
        engine.best([cursor, cursor], said)
    with pytest.raises(ValueError, match="ids"):
        engine.push([cursor], [1, 2])
    assert index.content() == before
    engine.mix([cursor], said)

    index.absorb(VOCABULARY.encode("a"))
    for use in (
        lambda: cursor.push(1),
        lambda: cursor.copy().push(1),
        lambda: engine.mix([cursor], said),
        lambda: engine.best([cursor], said),
    ):
        with pytest.raises(Stale):
            use()


def test_nothing_is_mixed_for_no_cursors() -> None:
    for engine in engines(VOCABULARY, neutral()):
        said = network_output(np.zeros((0, VOCABULARY.size), np.float32))
        assert engine.mix([], said).shape == said.probabilities.shape
        assert [len(part) for part in engine.best([], said)] == [0, 0]


def neutral() -> Parameters:
    return Parameters.neutral(UNITS)
