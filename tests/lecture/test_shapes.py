"""Inputs depend on one another, and the numbers of inputs and of predictions vary.

One network has the five shapes of sequence learning: one to one, one to many, many to one, many to
many that reads first and then writes, and many to many in step.
"""

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from model.completing import complete
from model.decoding.options import Options
from model.decoding.sampling import Sampling
from model.generating import generate
from model.served import Runtime
from tests.service.running import running
from tests.tiny import CHARACTERS
from training.evaluation.scoring import read
from training.lecture import variants


def distribution(runtime: Runtime, text: str) -> dict[str, float]:
    return dict(complete(runtime, text, top=len(CHARACTERS)).next)


def test_the_same_task_at_every_step_a_character_in_a_character_out(runtime: Runtime) -> None:
    pool = runtime.pool(1)
    slot = pool.acquire()
    pool.start(slot)
    for index in runtime.vocabulary.encode("any text, (of any) length."):
        probabilities = pool.probabilities([slot])[0]
        assert probabilities.shape == (runtime.vocabulary.size,)
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        pool.step([slot], [int(index)])


@pytest.mark.parametrize("read_characters", [0, 1, 30])
@pytest.mark.parametrize("written_characters", [1, 7, 40])
def test_any_number_of_characters_in_and_any_number_out(
    runtime: Runtime, read_characters: int, written_characters: int
) -> None:
    text = "abc " * 10
    drawn = generate(runtime, text[:read_characters], Sampling(), 1)
    assert len("".join(islice(drawn, written_characters))) == written_characters


def test_inputs_depend_on_one_another_so_their_order_matters(runtime: Runtime) -> None:
    assert distribution(runtime, "ab") != distribution(runtime, "ba")
    assert distribution(runtime, "aab") != distribution(runtime, "bab")


def test_one_to_one_is_the_distribution_after_one_character(runtime: Runtime) -> None:
    shown = variants.one_to_one(runtime, "h", top=len(CHARACTERS))
    assert dict(shown.next) == distribution(runtime, "h")
    assert 0 < sum(p for _, p in shown.next) <= 1 + 1e-5
    (step,) = shown.graph().steps
    assert (step.read, step.predicted) == ("h", shown.next[0][0])


def test_one_to_many_generates_a_text_from_one_character_or_from_nothing(runtime: Runtime) -> None:
    for seed_text in ("h", ""):
        shown = variants.one_to_many(runtime, seed_text, length=50, seed=3)
        assert len(shown.generated) == 50
        first, second, *_ = shown.graph().steps
        assert (first.read, first.predicted) == (seed_text or "start", shown.generated[0])
        assert (second.read, second.fed_back) == (shown.generated[0], True)
        assert shown.generated == "".join(
            islice(generate(runtime, seed_text, Sampling(0.7), 3), 50)
        )


def test_one_to_many_feeds_each_character_back(runtime: Runtime) -> None:
    # At temperature 0, each generated character is the likeliest after all the text before it.
    text = "h"
    for character in islice(generate(runtime, "h", Sampling(temperature=0), 1), 20):
        assert character == complete(runtime, text, top=1).next[0][0]
        text += character


def test_many_to_one_is_the_distribution_after_the_text_and_the_score_of_the_text(
    runtime: Runtime,
) -> None:
    text = "some text.\n"
    shown = variants.many_to_one(runtime, text, top=len(CHARACTERS))
    assert dict(shown.next) == distribution(runtime, text)
    # The chain rule: the probability of a text is the product of its characters' probabilities.
    steps = [distribution(runtime, text[:end])[text[end]] for end in range(len(text))]
    assert shown.score.log_probability == pytest.approx(math.fsum(map(math.log, steps)), rel=1e-6)
    bits = -sum(map(math.log2, steps)) / len(text)
    assert shown.score.bits_per_character == pytest.approx(bits, rel=1e-6)


def test_read_first_then_write_is_a_prefix_in_and_a_completion_out(runtime: Runtime) -> None:
    prefix = "the text (before"
    shown = variants.read_then_write(runtime, prefix)
    completion = complete(runtime, prefix, Options(min_confidence=0)).completion
    assert shown.completion == completion
    assert completion.text
    text = prefix
    for char in completion.chars:
        assert (char.text, char.probability) == complete(runtime, text, top=1).next[0]
        text += char.text


async def test_read_first_then_write_is_what_the_service_answers(
    checkpoint: Path, runtime: Runtime
) -> None:
    prefix = "the text (before"
    async with running(checkpoint=str(checkpoint), store="memory://") as service:
        answer = await service.complete(prefix=prefix)
    assert answer["completion"] == variants.read_then_write(runtime, prefix).completion.text


def test_in_step_gives_a_probability_and_a_surprise_for_every_character(runtime: Runtime) -> None:
    text = "a text, é and all\n"
    shown = variants.in_step(runtime, text)
    assert len(shown.bits) == len(text)
    for end, (character, bits) in enumerate(zip(text, shown.bits, strict=True)):
        assert 2**-bits == pytest.approx(distribution(runtime, text[:end])[character], rel=1e-6)
    np.testing.assert_array_equal(shown.bits, read(runtime, [text])[0].bits)
    for end, said in zip(range(len(text), 0, -1), reversed(shown.expected), strict=False):
        assert said == complete(runtime, text[:end], top=1).next[0]
