"""The scorer's gradient, its training, and the bits that its integers cost."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.adaptation.engine import Floats
from model.adaptation.index import Symbols
from model.adaptation.parameters import OWN, SHARED
from model.adaptation.plain import PlainEngine
from training.finishing import scorer
from training.finishing.examples import Examples
from training.finishing.scorer import Scorer
from training.finishing.scorer_quantization import quantized


def examples(places: int, seed: int = 0) -> Examples:
    """Random features. The larger a candidate's first feature, the more often it is right."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 5, places)
    begins = np.concatenate([[0], np.cumsum(counts)])
    own = random.integers(-400, 401, (begins[-1], OWN)).astype(np.int16)
    probabilities = random.uniform(0, 0.2, begins[-1]).astype(np.float32)
    right = np.zeros(begins[-1], bool)
    given = random.uniform(0.01, 0.2, places).astype(np.float32)
    for place in np.flatnonzero(counts):
        best = begins[place] + own[begins[place] : begins[place + 1], 0].argmax()
        if random.random() < 0.8:
            right[best], given[place] = True, probabilities[best]
    shared = random.integers(-400, 401, (places, SHARED)).astype(np.int16)
    hidden = random.integers(-127, 128, (places, 24)).astype(np.int8)
    return Examples(begins, hidden, shared, own, probabilities, right, given)


def test_the_gradient_is_that_of_the_surprise() -> None:
    some = examples(60)
    network = Scorer(some, 1)
    values = network.values
    random = np.random.default_rng(2)
    values[:] = random.normal(0, 0.2, len(values))
    places = some.with_candidates()
    gradient = network.gradient(some, places)

    def surprise() -> float:
        return network.bits(some) * math.log(2) * len(some) / len(places)

    for at in [*random.integers(0, len(values), 25), len(values) - 1]:
        kept, step = values[at], np.float32(0.002)
        values[at] = kept + step
        above = surprise()
        values[at] = kept - step
        below = surprise()
        values[at] = kept
        assert gradient[at] == pytest.approx((above - below) / (2 * step), rel=0.05, abs=2e-3)


def test_scores_that_are_cut_off_are_driven_no_further() -> None:
    some = examples(200)
    network = Scorer(some, 1)
    is_right = np.array([some.right[slice(*some.begins[at : at + 2])].any() for at in range(200)])
    wrong = np.flatnonzero(~is_right & (np.diff(some.begins) > 0))
    network.c[:] = -20
    assert not network.gradient(some, wrong).any()
    assert network.gradient(some, np.flatnonzero(is_right))[-1] < 0
    alone = np.flatnonzero(is_right & (np.diff(some.begins) == 1))
    network.c[:] = 20
    assert not network.gradient(some, alone).any()
    assert network.gradient(some, wrong)[-1] > 0


def test_it_learns_where_the_page_can_be_trusted() -> None:
    some, others = examples(4000), examples(1000, seed=1)
    for these in (some, others):
        # Where what was right came of something else, this is seen in the hidden state alone.
        wrong = np.diff(np.concatenate([[0], np.cumsum(these.right)])[these.begins]) == 0
        these.hidden[:, 0] = np.where(wrong, 127, -127)
    seen = Scorer(some, 1)
    seen.fit(some)
    blind = replace(some, hidden=np.zeros_like(some.hidden))
    unseen = Scorer(blind, 1)
    unseen.fit(blind)
    assert seen.bits(others) < unseen.bits(others) - 0.1


def test_it_begins_as_the_network_alone() -> None:
    some = examples(200)
    assert Scorer(some, 1).bits(some) == pytest.approx(-np.log2(some.given).mean(), abs=1e-6)


def test_it_learns_and_its_integers_lose_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "MOST_PASSES", 4)
    some, others = examples(4000), examples(1000, seed=1)
    network = Scorer(some, 1)
    before = network.bits(others)
    network.fit(some)
    after = network.bits(others)
    assert after < before - 0.5

    symbols = Symbols(np.zeros(50, np.uint8), 0, 1)
    engine = PlainEngine(quantized(network, some), symbols)
    assert served_bits(engine, others) == pytest.approx(after, abs=0.01)


def served_bits(engine: PlainEngine, some: Examples) -> float:
    bits = -np.log2(some.given.astype(np.float64))
    for place in some.with_candidates():
        at = np.arange(some.begins[place], some.begins[place + 1])
        weights: Floats = np.exp(
            engine.scores(some.shared[place], some.hidden[place], some.own[at]) / 64
        )
        raised = np.maximum(some.probabilities[at], scorer.LEAST_PROBABILITY) * weights
        total = 1 + (raised - some.probabilities[at]).sum()
        right = some.right[at]
        bits[place] = -np.log2((raised[right].sum() if right.any() else some.given[place]) / total)
    return float(bits.mean())
