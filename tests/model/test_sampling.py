"""model.sampling: what is drawn, how often, and that bytes always make characters."""

import math
from typing import Any

import numpy as np
import pytest

from model.sampling import Sampler, Sampling, draw
from model.vocabulary import Vocabulary

PROBABILITIES = np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32)


def shares(sampling: Sampling, draws: int = 8000) -> list[float]:
    random = np.random.default_rng(0)
    drawn = [draw(PROBABILITIES, sampling, random) for _ in range(draws)]
    return [drawn.count(index) / draws for index in range(len(PROBABILITIES))]


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
    ],
)
def test_ids_are_drawn_as_often_as_they_should(sampling: Sampling, expected: list[float]) -> None:
    assert shares(sampling) == pytest.approx(expected, abs=0.02)


def test_of_equally_probable_ids_the_lowest_comes_first() -> None:
    even = np.full(5, 0.2, dtype=np.float32)
    assert draw(even, Sampling(top_k=1), np.random.default_rng(0)) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", -0.1), ("temperature", math.nan), ("top_k", -1), ("top_p", 0), ("top_p", 1.1)],
)  # fmt: skip
def test_a_value_out_of_range_names_its_field(field: str, value: float) -> None:
    values: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=field):
        Sampling(**values)


def test_bytes_that_make_no_character_are_never_drawn() -> None:
    vocabulary = Vocabulary("ab")
    sampler = Sampler(vocabulary, Sampling(), np.random.default_rng(0))
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
    sampler = Sampler(vocabulary, Sampling(), np.random.default_rng(0))
    lead = np.zeros(vocabulary.size, dtype=np.float32)
    lead[vocabulary.spell("é")[0]] = 1
    assert sampler.draw(lead)[1] == ""
    assert len(sampler.draw(lead)[1]) == 1
