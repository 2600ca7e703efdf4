"""The evaluation equals the direct way: model.completing at every position."""

import math
from dataclasses import replace

import numpy as np
import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.candidate import Candidate, Rules
from model.decoding.options import Options
from model.decoding.sampling import Sampler, Sampling
from model.runtime.arithmetic import Floats
from model.served import Runtime
from model.text_form import training_form
from tests.model.adaptation.primed import primed
from tests.tiny import save_tiny_checkpoint
from training.evaluation.evaluation import evaluate, sweep
from training.evaluation.figures import Session, figures, type_with
from training.evaluation.scoring import read
from training.evaluation.suggestions import suggest

LOOSE = Options(max_chars=12, min_confidence=0.02)
STRICTER = [replace(LOOSE, max_chars=m, min_confidence=c) for m in (3, 12) for c in (0.05, 0.4)]


@pytest.fixture(scope="module", params=[("lstm", 1), ("gru", 2)], ids=["lstm", "gru-2"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    cell, layers = request.param
    folder = tmp_path_factory.mktemp("tiny")
    return Runtime(load(save_tiny_checkpoint(folder, cell, layers)))


@pytest.fixture(scope="module")
def texts(runtime: Runtime) -> list[str]:
    """The network's own samples as texts; one of them has characters that are spelt in bytes."""
    written = [sample(runtime, length, seed) for seed, length in enumerate((80, 1, 40, 20))]
    strange = "a€b\N{GRINNING FACE}\r\n" + sample(runtime, 25, 9) + "ü"
    return [training_form(text) for text in (*written, strange)]


def sample(runtime: Runtime, length: int, seed: int) -> str:
    sampler = Sampler(runtime.vocabulary, Sampling(0.5), seed)
    pool = runtime.pool(1)
    slots = np.array([pool.acquire()], dtype=np.int32)
    pool.start(int(slots[0]))
    text = ""
    while len(text) < length:
        index, character = sampler.draw(pool.probabilities(slots)[0])
        pool.step(slots, np.array([index], dtype=np.int32))
        text += character
    return text


def test_bits_are_the_surprise_of_each_character(runtime: Runtime, texts: list[str]) -> None:
    pool = runtime.pool(1)
    slots = np.array([pool.acquire()], dtype=np.int32)
    for text, reading in zip(texts, read(runtime, texts), strict=True):
        pool.start(int(slots[0]))
        for character, bits in zip(text, reading.bits, strict=True):
            direct = 0.0
            for index in runtime.vocabulary.spell(character):
                direct -= math.log2(pool.probabilities(slots)[0, index])
                pool.step(slots, np.array([index], dtype=np.int32))
            assert bits == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("every", [8, 64])
def test_suggestions_are_those_of_a_fresh_completion_at_every_position(
    runtime: Runtime, texts: list[str], every: int
) -> None:
    readings = read(runtime, texts, every)
    shown = 0
    for text, suggestions in zip(texts, suggest(runtime, texts, readings, LOOSE), strict=True):
        for position in range(len(text)):
            for options in (LOOSE, STRICTER[position % len(STRICTER)]):
                direct = complete(runtime, text[:position], options, 0).completion
                assert suggestions.at(position, options) == direct
                seen = suggestions.shown(position, options)
                assert (seen.text, seen.confidence) == (direct.text, direct.confidence)
                shown += bool(direct.text)
    assert shown > 50


@pytest.fixture(scope="module")
def adapting(runtime: Runtime) -> Runtime:
    return Runtime(primed(runtime.checkpoint))


def test_adapted_bits_are_those_of_a_fresh_page_at_each_character(
    adapting: Runtime, texts: list[str]
) -> None:
    assert adapting.adaptation is not None
    for text, reading in zip(texts, read(adapting, texts), strict=True):
        for position, bits in list(enumerate(reading.bits))[::3]:
            place, direct = Position(adapting, text[:position]), 0.0
            for index in adapting.vocabulary.spell(text[position]):
                direct -= math.log2(place.distribution()[index])
                place.step(index)
            assert bits == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("every", [8, 64])
def test_adapted_suggestions_are_those_of_a_fresh_page_at_every_position(
    adapting: Runtime, texts: list[str], every: int
) -> None:
    readings = read(adapting, texts, every)
    shown = 0
    for text, suggestions in zip(texts, suggest(adapting, texts, readings, LOOSE), strict=True):
        for position in range(len(text)):
            place = Position(adapting, text[:position])
            greedy = Candidate(Rules(adapting.vocabulary, LOOSE, adapting.calibration))
            while True:
                index = int(place.distribution().argmax())
                if not greedy.push(index, float(place.distribution()[index])):
                    break
                place.step(index)
            assert suggestions.at(position, LOOSE) == greedy.completion()
            shown += bool(greedy.completion().text)
    assert shown > 50


class Position:
    """A place after a text, computed from an empty state."""

    def __init__(self, runtime: Runtime, text: str) -> None:
        assert runtime.adaptation is not None
        self._adaptation = runtime.adaptation
        self._pool = runtime.pool(1)
        self._slots = [self._pool.acquire()]
        self._pool.start(self._slots[0])
        self._pool.absorb(self._slots, [runtime.vocabulary.encode(text)])
        page = self._adaptation.page()
        page.follow(text)
        self._cursor = page.cursor()
        self._page = page

    def distribution(self) -> Floats:
        network_output = self._pool.network_output(self._slots)
        row: Floats = self._adaptation.distribution([self._cursor], network_output)[0]
        return row

    def step(self, index: int) -> None:
        self._pool.step(self._slots, [index])
        self._cursor.push(index)


def test_looser_options_than_were_computed_are_refused(runtime: Runtime) -> None:
    text = sample(runtime, 20, 1)
    readings = read(runtime, [text], 8)
    (suggestions,) = suggest(runtime, [text], readings, replace(LOOSE, max_chars=2))
    longest = max(range(20), key=lambda at: len(suggestions.at(at, suggestions.loosest).text))
    with pytest.raises(ValueError, match="stop later"):
        suggestions.at(longest, LOOSE)


def test_figures_are_those_of_typing_with_fresh_completions(
    runtime: Runtime, texts: list[str]
) -> None:
    evaluation = evaluate(runtime, [(f"{i}", text) for i, text in enumerate(texts)], LOOSE)

    def typed(text: str) -> Session:
        return type_with(text, lambda at: complete(runtime, text[:at], LOOSE, 0).completion)

    sessions = [typed(text) for text in texts]
    assert evaluation.typist == figures(sessions)
    assert [document.typist for document in evaluation.documents] == [
        figures([session]) for session in sessions
    ]
    assert evaluation.typist.keystrokes_saved > 0
    assert evaluation.typist.characters == sum(map(len, texts))
    bits = np.concatenate([reading.bits for reading in read(runtime, texts)])
    assert evaluation.bits_per_character == pytest.approx(bits.mean())
    time = evaluation.milliseconds_per_suggestion
    assert time.p95 >= time.median > 0


def test_a_sweep_equals_an_evaluation_under_each_choice(runtime: Runtime, texts: list[str]) -> None:
    named = [(f"{i}", text) for i, text in enumerate(texts)]
    assert sweep(runtime, texts, STRICTER) == [
        evaluate(runtime, named, options).typist for options in STRICTER
    ]


def test_progress_counts_each_character_once_a_pass(runtime: Runtime, texts: list[str]) -> None:
    done: list[int] = []
    evaluate(runtime, [("a", texts[0]), ("b", texts[4])], LOOSE, done.append)
    assert sum(done) == 2 * (len(texts[0]) + len(texts[4]))


def test_an_empty_text_is_refused(runtime: Runtime) -> None:
    for named in ([], [("empty", "")]):
        with pytest.raises(ValueError, match="at least one"):
            evaluate(runtime, named, LOOSE)
