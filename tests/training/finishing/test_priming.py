"""Priming: a checkpoint learns from training text how far to trust what a page finds."""

from pathlib import Path

import numpy as np
import pytest

from model import adaptation
from model.adaptation.parameters import Parameters, from_arrays
from model.checkpoint import Checkpoint, load
from model.served import Runtime
from tests.tiny import save_tiny_checkpoint
from training.corpus import Document
from training.evaluation.scoring import mean_bits, read
from training.finishing import priming
from training.finishing.examples import read_examples
from training.finishing.priming import choose_beginnings, prime, save


def repetitive(seed: int, lines: int = 60) -> str:
    """Text in which a few names are repeated; each text has its own names."""
    random = np.random.default_rng(seed)
    names = ["".join(random.choice(list("abcdefgh"), 7)) for _ in range(6)]
    return "".join(f"{random.choice(names)}({random.choice(names)})\n" for _ in range(lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_checkpoint(tmp_path / "tiny")


@pytest.fixture
def checkpoint(folder: Path) -> Checkpoint:
    return load(folder)


def test_a_primed_checkpoint_is_less_surprised_by_texts_that_repeat(folder: Path) -> None:
    before = load(folder)
    primed = prime(before, [repetitive(number) for number in range(12)])
    save(folder, before, primed, "names that repeat")
    after = load(folder)
    assert after.fingerprint != before.fingerprint
    assert after.training["adaptation"] == primed.summary() | {"data": "names that repeat"}
    for name, array in before.weights.items():
        assert (after.weights[name] == array).all()

    unseen = [repetitive(100), repetitive(101)]
    network = mean_bits(read(Runtime(after, adapt=False), unseen))
    adapted = mean_bits(read(Runtime(after), unseen))
    assert adapted < network - 1


def test_texts_without_repetitions_leave_the_network_as_it_is(checkpoint: Checkpoint) -> None:
    primed = prime(checkpoint, ["abcdefgh", "hgfedcba"])
    assert primed.network_bits == primed.adapted_bits
    units = checkpoint.config.hidden
    neutral = Parameters.neutral(units)
    for name, array in vars(from_arrays(primed.added_to({}), units)).items():
        assert (array == getattr(neutral, name)).all()


def test_examples_are_what_a_session_would_meet(checkpoint: Checkpoint) -> None:
    texts = [repetitive(1, 8), repetitive(2, 5), "é€"]
    examples = read_examples(Runtime(checkpoint), texts)
    assert len(examples) == sum(len(checkpoint.vocabulary.encode(text)) for text in texts)
    units = checkpoint.config.hidden
    neutral = Parameters.neutral(units).to_arrays()
    runtime = Runtime(
        Checkpoint("neutral", checkpoint.config, {**checkpoint.weights, **neutral}, {}, "0")
    )
    engine = adaptation.engine_for(Parameters.neutral(units), checkpoint.vocabulary)
    index = engine.index()
    place = 0
    for text in texts[:1]:
        for number in checkpoint.vocabulary.encode(text):
            found = engine.collect(
                index, np.array([number], np.int32), row(runtime, text, index.length)
            )
            begin, end = examples.begins[place : place + 2]
            assert (found.own == examples.own[begin:end]).all()
            assert (found.shared[0] == examples.shared[place]).all()
            assert (examples.right[begin:end] == (found.ids == number)).all()
            place += 1


def row(runtime: Runtime, text: str, position: int) -> np.ndarray:
    pool = runtime.pool(1)
    slot = pool.acquire()
    pool.start(slot)
    pool.absorb([slot], [runtime.vocabulary.encode(text[:position])])
    return pool.probabilities([slot])


def test_half_of_what_is_read_is_of_the_kind_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priming, "DOCUMENT_CHARACTERS", 3)
    documents = [Document(Path(f"{n}"), f"{n}", f"{n:02}...", late=n >= 8) for n in range(10)]
    assert choose_beginnings(documents, 4) == ["08.", "09.", "00.", "04."]
    assert choose_beginnings(documents[:8], 4) == ["00.", "02.", "04.", "06."]
    assert choose_beginnings(documents[8:], 4) == ["08.", "09."]
