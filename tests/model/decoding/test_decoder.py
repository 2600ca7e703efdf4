"""decoder: alternatives, draws, and what fits the text behind the cursor."""

import random
from dataclasses import replace
from itertools import permutations
from math import prod

import numpy as np
import pytest

from model.checkpoint import load
from model.completing import CompletedText, complete
from model.decoding.decoder import Decoder
from model.decoding.fitting import COMPARED_CHARACTERS
from model.decoding.next_step import NextStep
from model.decoding.options import Completion, Options
from model.served import Runtime
from model.vocabulary import Speller
from tests.model.decoding.test_sampling import DRAWS, chi_square_excess
from tests.tiny import CHARACTERS, save_tiny_checkpoint

POSITIONS = 500
EIGHT = Options(n=8, min_confidence=0)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime(load(save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")))


def texts(count: int, seed: int = 0) -> list[str]:
    drawn = random.Random(seed)
    return ["".join(drawn.choices(CHARACTERS, k=drawn.randint(0, 20))) for _ in range(count)]


def candidates(answer: CompletedText) -> list[Completion]:
    return [answer.completion, *answer.alternatives]


def right(completion: Completion) -> float:
    return prod(char.probability for char in completion.chars)


def test_the_best_of_eight_is_as_probable_as_greedy_and_none_begins_with_another(
    runtime: Runtime,
) -> None:
    several = 0
    for text in texts(POSITIONS):
        greedy = complete(runtime, text, replace(EIGHT, n=1)).completion
        found = candidates(complete(runtime, text, EIGHT))
        assert len(found) <= 8
        if greedy.text:
            assert greedy in found
        assert found[0].confidence >= greedy.confidence or not greedy.text
        shown = [completion.text for completion in found]
        assert not any(b.startswith(a) for a, b in permutations(shown, 2))
        confidences = [completion.confidence for completion in found]
        assert confidences == sorted(confidences, reverse=True)
        several += len(found) > 4
    assert several > POSITIONS / 2


def test_an_alternative_has_the_probabilities_that_its_text_has(runtime: Runtime) -> None:
    vocabulary = runtime.vocabulary
    for text in texts(20, seed=1):
        for completion in complete(runtime, text, EIGHT).alternatives:
            pool = runtime.pool(1)
            slot = pool.acquire()
            pool.start(slot)
            pool.absorb([slot], [vocabulary.encode(text)])
            for char in completion.chars:
                probability = 1.0
                for index in vocabulary.spell(char.text):
                    probability *= float(pool.probabilities([slot])[0, index])
                    pool.step([slot], [index])
                assert char.probability == probability
            assert completion.confidence == right(completion)


def test_alternatives_are_as_confident_as_was_asked(runtime: Runtime) -> None:
    fewer = 0
    for text in texts(60, seed=2):
        sure = candidates(complete(runtime, text, replace(EIGHT, min_confidence=0.1)))
        assert all(completion.confidence >= 0.1 for completion in sure)
        fewer += len(sure) < len(candidates(complete(runtime, text, EIGHT)))
    assert fewer


def test_a_manual_trigger_shows_the_best_there_is(runtime: Runtime) -> None:
    hidden = 0
    for text in texts(80, seed=3):
        options = Options(min_confidence=0.9)
        shown = complete(runtime, text, replace(options, trigger="manual")).completion
        assert shown.text or shown.finish_reason == "invalid_bytes"
        assert shown.text[:1] not in ("\n", "\r")
        hidden += not complete(runtime, text, options).completion.text
    assert hidden


def test_one_seed_draws_one_text_and_others_draw_others(runtime: Runtime) -> None:
    options = Options(max_chars=12, min_confidence=0, temperature=1, by_value=False)

    def draw(seed: int) -> Completion:
        return complete(runtime, "ab", replace(options, seed=seed)).completion

    drawn = [draw(seed) for seed in range(9)]
    assert drawn == [draw(seed) for seed in range(9)]
    assert len({completion.text for completion in drawn}) > 5


def test_suggestions_are_drawn_as_often_as_the_model_says(runtime: Runtime) -> None:
    vocabulary = runtime.vocabulary
    pool = runtime.pool(1)
    slot = pool.acquire()
    pool.start(slot)
    pool.absorb([slot], [vocabulary.encode("ab")])
    probabilities = pool.probabilities([slot])[0]
    options = Options(min_confidence=0, temperature=1, by_value=False)
    counts = [0] * vocabulary.size
    for seed in range(DRAWS):
        seeded = replace(options, seed=seed)
        decoder = Decoder(vocabulary, seeded, runtime.calibration, "ab", len("ab"))
        decoder.answer([NextStep(0, 0.0, probabilities)])
        ((_, index),) = decoder.chain
        counts[index] += 1
    # A byte that begins no character is never drawn first.
    begins = [Speller(vocabulary).push(index) is not None for index in range(vocabulary.size)]
    assert chi_square_excess(counts, probabilities.astype(float) * begins) < 1


def test_a_draw_stays_while_one_types_through_it(runtime: Runtime) -> None:
    options = Options(max_chars=12, min_confidence=0, temperature=1, by_value=False, seed=5)
    whole = complete(runtime, "ab", options).completion.text
    assert len(whole) > 3
    for typed in range(1, len(whole)):
        rest = complete(runtime, "ab" + whole[:typed], options).completion.text
        assert rest.startswith(whole[typed:])


def test_several_draws_are_apart_and_by_probability(runtime: Runtime) -> None:
    options = Options(n=6, min_confidence=0, temperature=1.2, trigger="manual")
    several = 0
    for text in texts(30, seed=4):
        found = candidates(complete(runtime, text, options))
        shown = [completion.text for completion in found]
        assert not any(b.startswith(a) for a, b in permutations(shown, 2))
        assert [right(c) for c in found] == sorted(map(right, found), reverse=True)
        several += len(found) > 2
    assert several > 10


def test_no_draw_leaves_the_most_probable_ids(runtime: Runtime) -> None:
    options = Options(
        max_chars=10, min_confidence=0, temperature=2, top_k=2, by_value=False, top_each=2
    )
    for seed in range(40):
        for char in complete(runtime, "abc", replace(options, seed=seed)).completion.chars:
            listed = [character for character, _ in char.top]
            assert char.text in listed or char.text not in CHARACTERS


def test_no_draw_leaves_the_fewest_characters_that_reach_a_share(runtime: Runtime) -> None:
    options = Options(
        max_chars=10, min_confidence=0, temperature=1, top_p=0.4, by_value=False, top_each=20
    )
    for seed in range(40):
        for char in complete(runtime, "abc", replace(options, seed=seed)).completion.chars:
            names = [character for character, _ in char.top]
            if char.text in names:
                before = sum(p for _, p in char.top[: names.index(char.text)])
                assert before < options.top_p
            else:
                assert char.text not in CHARACTERS


def test_the_most_probable_characters_are_listed_at_each_place(runtime: Runtime) -> None:
    options = Options(min_confidence=0, top_each=3, by_value=False)
    completion = complete(runtime, "abc", options).completion
    assert completion.text == complete(runtime, "abc", replace(options, top_each=0)).completion.text
    for char in completion.chars:
        assert len(char.top) == 3
        assert char.top[0] == (char.text, char.probability) or char.text not in CHARACTERS


def test_of_the_candidates_that_end_the_one_that_fits_what_is_behind_comes_first(
    runtime: Runtime,
) -> None:
    vocabulary = runtime.vocabulary

    def likelihood(text: str, suffix: str) -> float:
        pool = runtime.pool(1)
        slot = pool.acquire()
        pool.start(slot)
        pool.absorb([slot], [vocabulary.encode(text)])
        total = 0.0
        for index in vocabulary.encode(suffix[:COMPARED_CHARACTERS]).tolist():
            total += float(np.log(pool.probabilities([slot])[0, index]))
            pool.step([slot], [index])
        return total

    moved = stayed = 0
    for text in texts(60, seed=5):
        suffix = "\n" + text[::-1] + "abc" * 20
        options = replace(EIGHT, suffix=suffix, stop=("e",), by_value=False)
        greedy = complete(runtime, text, replace(options, n=1)).completion
        found = candidates(complete(runtime, text, options))
        if not greedy.text or len(found) == 1:
            continue
        best = greedy
        if greedy.finish_reason in ("line_end", "stop"):
            best = max(
                (c for c in found if c.finish_reason in ("line_end", "stop")),
                key=lambda c: float(np.log(right(c))) + likelihood(text + c.text, suffix),
            )
        assert found[0] == best
        rest = [completion.confidence for completion in found[1:]]
        assert rest == sorted(rest, reverse=True)
        moved += best != greedy
        stayed += best == greedy and best.confidence < rest[0]
    assert moved
    assert stayed


def test_a_suffix_that_cannot_be_spelt_tells_nothing(runtime: Runtime) -> None:
    plain = complete(runtime, "abc", replace(EIGHT, suffix="\n"))
    odd = complete(runtime, "abc", replace(EIGHT, suffix="\n\ud800"))
    assert {c.text for c in candidates(plain)} == {c.text for c in candidates(odd)}
    assert odd.completion.confidence == max(c.confidence for c in candidates(odd))


def test_nothing_is_decoded_where_no_character_is_asked_for(runtime: Runtime) -> None:
    for n in (1, 4):
        answer = complete(runtime, "abc", Options(max_chars=0, n=n), top=2)
        assert (answer.completion.text, answer.completion.finish_reason) == ("", "max_chars")
        assert not answer.alternatives
        assert len(answer.next) == 2


def test_with_the_backend_nothing_changes(runtime: Runtime) -> None:
    other = Runtime(runtime.checkpoint, "numpy")
    for options in (EIGHT, replace(EIGHT, temperature=0.8, seed=3), replace(EIGHT, suffix="\nab")):
        for text in texts(5, seed=6):
            assert complete(runtime, text, options) == complete(other, text, options)
