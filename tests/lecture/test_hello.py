"""A character language model over [h, e, l, o], trained on "hello", writes "ello" after "h"."""

from itertools import islice
from pathlib import Path

import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.options import Options
from model.decoding.sampling import Sampling
from model.generating import generate
from model.served import Runtime
from training.lecture import hello


def test_the_vocabulary_is_h_e_l_o() -> None:
    vocabulary = hello.CONFIG.vocabulary()
    assert [vocabulary.symbol(index) for index in range(vocabulary.size)] == ["h", "e", "l", "o"]
    assert vocabulary.encode("hello").tolist() == [0, 1, 2, 2, 3]


def test_training_lowers_the_loss_to_next_to_nothing(lesson: hello.Lesson) -> None:
    assert lesson.bits[0] > 1.5
    assert lesson.bits[-1] < 0.05


def test_one_character_sampled_at_a_time_and_fed_back_says_ello_after_h(taught: Path) -> None:
    runtime = Runtime(load(taught))
    for seed in range(5):
        assert "".join(islice(generate(runtime, "h", Sampling(0.5), seed), 4)) == "ello"
    assert complete(runtime, "h", Options(max_chars=4)).completion.text == "ello"


def test_the_state_tells_which_l_it_is(taught: Path) -> None:
    runtime = Runtime(load(taught))
    assert complete(runtime, "hel", top=1).next[0][0] == "l"
    assert complete(runtime, "hell", top=1).next[0][0] == "o"


def test_the_unrolled_graph_is_drawn(lesson: hello.Lesson, taught: Path) -> None:
    graph, vectors = hello.unroll(lesson.network)
    assert [step.read for step in graph.steps] == ["start", "h", "e", "l", "l"]
    assert [step.predicted for step in graph.steps] == ["h", "e", "l", "l", "o"]
    assert [sum(held.x) for held in vectors] == [1] * 5
    assert [sum(held.y) for held in vectors] == pytest.approx([1] * 5)
    assert (taught / hello.PICTURE).read_bytes().startswith(b"\x89PNG")
