"""A network is served in integers only where this costs almost no bits."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model import checkpoint
from model.served import Runtime
from tests.training.quiet import quiet
from tests.training.small import SMALL
from training.corpus import Corpus, Document
from training.errors import QuantizationError
from training.finishing.quantization import LARGEST_COST_BITS, finish_checkpoint
from training.loop.options import RunOptions
from training.loop.schedule import Budget
from training.loop.train import train
from training.presets import PRESETS

LINE = "the quick brown fox jumps over the lazy dog\n"
CORPUS = Corpus(
    train=(Document(Path("t"), "t", LINE * 100),),
    validation=(Document(Path("v"), "v", LINE * 10),),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learnt the line."""
    folder = tmp_path_factory.mktemp("trained") / "line"
    preset = replace(PRESETS["tiny"], hidden=32, learning_rate=2e-2, streams=4)
    train(
        CORPUS, folder, preset, Budget(steps=150), RunOptions(minimum_count=1, threads=1), quiet()
    )
    return folder


def test_a_finished_checkpoint_says_what_serving_it_costs(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "line"))
    cost = finish_checkpoint(folder, CORPUS)
    assert abs(cost.bits) <= LARGEST_COST_BITS
    finished = checkpoint.load(folder)
    assert finished.training["quantization"] == {
        "float_bits": cost.float_bits,
        "packed_bits": cost.packed_bits,
        "served_bits": cost.served_bits,
        "cost": cost.bits,
    }
    assert Runtime(finished).pool(1).acquire() == 0


def test_rows_of_contexts_are_rounded_and_their_share_of_the_cost_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "contexts"
    preset = replace(SMALL, contexts=("2", "4", "word"), context_rows=300)
    history = train(
        CORPUS, folder, preset, Budget(steps=60), RunOptions(minimum_count=1, threads=1), quiet()
    )
    finished = checkpoint.load(folder)
    stored = finished.training["quantization"]
    assert stored["float_bits"] == pytest.approx(history.best.validation_bits, abs=1e-4)
    assert abs(stored["packed_bits"] - stored["float_bits"]) <= LARGEST_COST_BITS
    assert stored["cost"] == stored["served_bits"] - stored["float_bits"]
    card = (folder / "README.md").read_text()
    assert "the last 2, 4 characters, the word so far" in card
    assert "by packing the contexts' rows" in card
    rows = finished.weights["contexts.rows"]
    assert f"{len(rows):,} rows of 8 numbers" in card
    assert 0 < len(rows) <= 300


def test_one_that_would_lose_much_is_refused_and_left_as_it_was(
    trained: Path, tmp_path: Path
) -> None:
    whole = checkpoint.load(trained)
    weights = {name: array.copy() for name, array in whole.weights.items()}
    # One unit keeps silent, for its output gate is shut, but the weights on it are enormous.
    weights["cells.0.b"][3 * 32] = -60
    weights["cells.0.U"][3 * 32] = 0
    weights["cells.0.W"][3 * 32] = 0
    weights["cells.0.W"][:, 0] = 1000
    weights["output.weight"][:, 0] = 1000
    folder = tmp_path / "spoiled"
    checkpoint.save(folder, whole.config, weights, {})
    spoiled = checkpoint.load(folder)
    with pytest.raises(QuantizationError, match="served in integers it would cost") as refused:
        finish_checkpoint(folder, CORPUS)
    assert "\n" not in str(refused.value)
    assert checkpoint.load(folder).fingerprint == spoiled.fingerprint
