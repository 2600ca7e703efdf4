"""sampling: what is drawn, how often, on every machine, and that bytes make characters."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.decoding.sampling import Sampler, Sampling, draw, random_at
from model.vocabulary import Vocabulary

PROBABILITIES = np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32)
DRAWS = 20_000
EVER = [146, 175, 108, 174, 130, 171, 193, 152, 197, 170, 127, 184]


def drawn(probabilities: np.ndarray[Any, Any], sampling: Sampling, draws: int) -> list[int]:
    """How often each index is drawn, each time with the random numbers of another position."""
    counts = [0] * len(probabilities)
    for position in range(draws):
        counts[draw(probabilities, sampling, random_at(7, position))] += 1
    return counts


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.1, 0.4, 0.2, 0.3]),
        (Sampling(temperature=0), [0, 1, 0, 0]),
        (Sampling(temperature=0.5), [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
        (Sampling(top_k=2), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(top_p=0.6), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(top_p=0.1), [0, 1, 0, 0]),
        (Sampling(temperature=2, top_k=1), [0, 1, 0, 0]),
        (Sampling(min_p=0.6), [0, 4 / 7, 0, 3 / 7]),
        (Sampling(min_p=1), [0, 1, 0, 0]),
        (Sampling(top_k=3, top_p=0.9, min_p=0.4), [0, 4 / 9, 2 / 9, 3 / 9]),
    ],
)
def test_ids_are_drawn_as_often_as_they_should(sampling: Sampling, expected: list[float]) -> None:
    counts = drawn(PROBABILITIES, sampling, 4000)
    assert [count / 4000 for count in counts] == pytest.approx(expected, abs=0.03)


def chi_square_excess(counts: list[int], probabilities: np.ndarray[Any, Any]) -> float:
    """The chi-square of counts, divided by the bound that chance exceeds in 0.1 % of all cases."""
    seen_each = np.array(counts)
    expected = probabilities * (seen_each.sum() / probabilities.sum())
    # Indices that are expected less than five times are counted together.
    often = expected >= 5
    seen = [*seen_each[often], seen_each[~often].sum()]
    due = [*expected[often], max(expected[~often].sum(), 1e-9)]
    statistic = sum((s - d) ** 2 / d for s, d in zip(seen, due, strict=True))
    freedom = len(seen) - 1
    # Wilson and Hilferty's approximation of the chi-square's upper 0.1 %.
    bound = freedom * (1 - 2 / (9 * freedom) + 3.09 * math.sqrt(2 / (9 * freedom))) ** 3
    return float(statistic / bound)


def test_draws_pass_a_chi_square_test_against_the_distribution() -> None:
    weights = np.random.default_rng(3).dirichlet(np.full(60, 0.3)).astype(np.float32)
    for temperature in (1.0, 0.7, 1.5):
        expected = weights.astype(float) ** (1 / temperature)
        assert chi_square_excess(drawn(weights, Sampling(temperature), DRAWS), expected) < 1
    # The test tells the draws of one distribution from those of another.
    counts = drawn(weights, Sampling(1.1), DRAWS)
    assert chi_square_excess(counts, weights.astype(float)) > 1


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12).filter(any),
    st.floats(0.05, 5),
    st.integers(0, 13),
    st.floats(0.01, 1),
    st.floats(0, 1),
    st.integers(0, 2**64 - 1),
)
def test_nothing_is_drawn_from_outside_the_filters(
    given_: list[float], temperature: float, top_k: int, top_p: float, min_p: float, seed: int
) -> None:
    probabilities = np.array(given_, np.float32)
    sampling = Sampling(temperature, top_k, top_p, min_p)
    index = draw(probabilities, sampling, random_at(seed, 0))
    order = np.argsort(-probabilities, kind="stable").tolist()
    weights = (probabilities / probabilities.max()).astype(float) ** (1 / temperature)
    kept = order[:top_k] if top_k else order
    rank = kept.index(index)
    before = sum(weights[i] for i in kept[:rank])
    assert rank == 0 or before < top_p * sum(weights[i] for i in kept) * (1 + 1e-9)
    assert weights[index] >= min_p * (1 - 1e-9)
    assert probabilities[index] > 0


def test_of_equally_probable_ids_the_lowest_comes_first() -> None:
    even = np.full(5, 0.2, dtype=np.float32)
    assert draw(even, Sampling(top_k=1), random_at(0, 0)) == 0


def test_a_place_has_its_own_numbers_whatever_came_before() -> None:
    numbers = {
        (seed, position, part, stream): random_at(seed, position, part, stream).random()
        for seed in (0, 2**64 - 1)
        for position in (0, 1, 2**40)
        for part in (0, 3)
        for stream in (0, 15)
    }
    assert len(set(numbers.values())) == len(numbers)
    assert all(random_at(*place).random() == number for place, number in numbers.items())


def test_one_seed_draws_the_same_in_another_process_and_as_it_always_did() -> None:
    program = (
        "import numpy as np\n"
        "from model.decoding.sampling import Sampling, draw, random_at\n"
        "p = (np.arange(1, 200) ** 2).astype(np.float32)\n"
        "print([draw(p, Sampling(0.7, 150, 0.95, 0.001), random_at(5, n)) for n in range(12)])"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    p = (np.arange(1, 200) ** 2).astype(np.float32)
    here = [draw(p, Sampling(0.7, 150, 0.95, 0.001), random_at(5, n)) for n in range(12)]
    assert other.stdout.strip() == str(here)
    assert here == EVER


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.1),
        ("min_p", -0.1),
    ],
)
def test_a_value_out_of_range_names_its_field(field: str, value: float) -> None:
    values: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=field):
        Sampling(**values)


def test_bytes_that_make_no_character_are_never_drawn() -> None:
    vocabulary = Vocabulary("ab")
    sampler = Sampler(vocabulary, Sampling(), 0)
    even = np.full(vocabulary.size, 1 / vocabulary.size, dtype=np.float32)
    ids: list[int] = []
    text = ""
    while len(text) < 200:
        index, character = sampler.draw(even)
        ids.append(index)
        text += character
    assert vocabulary.encode(text).tolist() == ids
    assert any(ord(character) > 0xFFFF for character in text)


def test_a_character_is_finished_even_where_its_next_byte_has_no_probability() -> None:
    vocabulary = Vocabulary("ab")
    sampler = Sampler(vocabulary, Sampling(), 0)
    lead = np.zeros(vocabulary.size, dtype=np.float32)
    lead[vocabulary.spell("é")[0]] = 1
    assert sampler.draw(lead)[1] == ""
    assert len(sampler.draw(lead)[1]) == 1
