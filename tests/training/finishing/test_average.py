"""The mean of two networks: its weights and rows, and its finished checkpoint."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint, load
from model.errors import ModelError
from model.network.contexts import unpack_rows
from model.network.network import Network
from model.served import Runtime
from tests.model.runtime.networks import CONTEXTS, random_checkpoint
from tests.training.quiet import quiet
from tests.training.small import SMALL
from training.corpus import Corpus, Document
from training.errors import QuantizationError
from training.evaluation.validation import Validation
from training.finishing import quantization
from training.finishing.average import average_checkpoints, average_networks
from training.finishing.shares import AverageShares
from training.loop.options import RunOptions
from training.loop.schedule import Budget
from training.loop.train import train

TEXT = "the quick brown fox jumps over the lazy dog\n"
DOCUMENTS = tuple(Document(Path("t"), str(n), TEXT * (20 + n)) for n in range(9))
CORPUS = Corpus(DOCUMENTS, DOCUMENTS[:1])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A small network with contexts that has learnt a line."""
    folder = tmp_path / "trained"
    preset = replace(SMALL, contexts=("2", "3", "word"))
    train(CORPUS, folder, preset, Budget(steps=60), RunOptions(threads=1), quiet())
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def two() -> tuple[Checkpoint, Checkpoint]:
    """Random networks that keep the same rows."""
    first, second = (random_checkpoint(contexts=CONTEXTS, seed=seed) for seed in (1, 2))
    kept = {name: first.weights[f"contexts.{name}"] for name in ("kept", "rows")}
    rows = np.random.default_rng(3).permutation(kept["rows"])
    weights = {**second.weights, "contexts.kept": kept["kept"], "contexts.rows": rows}
    return first, replace(second, weights=weights)


def logits(network: Network, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = network(ids, network.initial(1))[0]
    return out


def network_of(checkpoint: Checkpoint) -> Network:
    network = Network(checkpoint.config)
    network.load_weights(checkpoint.weights)
    return network


def test_a_network_with_all_of_the_share_is_itself() -> None:
    first, second = two()
    ids = torch.tensor([first.vocabulary.encode("for x in y(z):").tolist()])
    for share, tables, of in ((1.0, (0.0, 1.0), second), (0.0, (1.0, 0.0), first)):
        mean = average_networks(first, second, AverageShares(share, tables))
        assert torch.allclose(logits(mean, ids), logits(network_of(of), ids), atol=1e-4)


def test_weights_are_the_mean_and_tables_have_their_own_shares() -> None:
    first, second = two()
    mean = average_networks(first, second, AverageShares(0.75, (0.4, 0.5)))
    mixed = 0.25 * first.weights["cells.0.W"] + 0.75 * second.weights["cells.0.W"]
    assert mean.layers()[0].W.detach().numpy() == pytest.approx(mixed, abs=1e-6)
    columns = [c.weights["output.weight"][:, first.config.hidden :] for c in (first, second)]
    levels = [float(np.sqrt(np.square(each).mean())) for each in columns]
    rows = [
        unpack_rows(c.weights["contexts.rows"], c.weights["contexts.levels"]) / 127
        for c in (first, second)
    ]
    assert mean.contexts is not None
    expected = 0.4 * levels[0] * rows[0] + 0.5 * levels[1] * rows[1]
    assert mean.contexts.rows[:-1].numpy() == pytest.approx(expected, abs=1e-5)
    assert not mean.contexts.rows[-1].any()


def test_networks_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ModelError, match="another shape"):
        average_networks(two()[0], random_checkpoint(hidden=48, contexts=CONTEXTS), AverageShares())


def test_a_row_that_only_the_second_has_counts_for_both() -> None:
    (first, same), second = two(), random_checkpoint(contexts=CONTEXTS, seed=2)
    one, other = map(network_of, (same, second))
    mean = average_networks(same, second, AverageShares(0.5, (0.4, 0.5)))
    assert one.contexts is not None
    assert other.contexts is not None
    assert mean.contexts is not None
    columns = [c.weights["output.weight"][:, first.config.hidden :] for c in (same, second)]
    levels = [float(np.sqrt(np.square(each).mean())) for each in columns]
    tables = (one.contexts, other.contexts)
    kept = [np.unpackbits(table.kept.kept, bitorder="little") for table in tables]
    both, alone = (np.flatnonzero(kept[1] & flags)[:50] for flags in (kept[0], 1 - kept[0]))
    assert len(both) == len(alone) == 50

    def rows(network: Network, numbers: NDArray[np.int64]) -> torch.Tensor:
        assert network.contexts is not None
        return network.contexts.rows[network.contexts.kept.slots(numbers)]

    expected = 0.4 * levels[0] * rows(one, both) + 0.5 * levels[1] * rows(other, both)
    torch.testing.assert_close(rows(mean, both), expected)
    torch.testing.assert_close(rows(mean, alone), 0.9 * levels[1] * rows(other, alone))
    assert mean.contexts.kept.count == other.contexts.kept.count


def test_the_mean_is_left_as_a_finished_checkpoint(tmp_path: Path, trained: Path) -> None:
    out = tmp_path / "mean"
    shares = AverageShares(0.5, (0.5, 0.5))
    cost = average_checkpoints(trained, trained, CORPUS, out, shares)
    made, before = load(out), load(trained)
    assert made.training["average"] == {"share": 0.5, "tables": [0.5, 0.5]}
    assert made.training["quantization"]["served_bits"] == cost.served_bits
    assert (out / "loss.png").read_bytes() == (trained / "loss.png").read_bytes()
    assert (
        "mean with the network that it began with, 50 % of it this one"
        in (out / "README.md").read_text()
    )
    assert Runtime(made).adaptation is not None
    # The mean of a network with itself is itself.
    held_out = Validation(CORPUS.validation, before.vocabulary, 10_000)
    bits = [held_out.bits_per_character(network_of(each)) for each in (made, before)]
    assert bits[0] == pytest.approx(bits[1], abs=0.02)


def test_networks_without_anything_in_their_tables_have_a_mean() -> None:
    empty = [
        replace(each, weights={**each.weights, "output.weight": each.weights["output.weight"] * 0})
        for each in two()
    ]
    weights = average_networks(empty[0], empty[1], AverageShares()).weights()
    assert all(np.isfinite(array).all() for array in weights.values())


@pytest.mark.parametrize("share", [math.nan, -3, 1.5])
def test_a_number_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"share: {share} is not between 0 and 1"):
        AverageShares(share)
    with pytest.raises(ValueError, match=f"tables: {share} is not between 0 and 1"):
        AverageShares(tables=(0.4, share))


def test_what_cannot_be_finished_replaces_nothing(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(trained)
    monkeypatch.setattr(quantization, "LARGEST_COST_BITS", -1)
    with pytest.raises(QuantizationError):
        average_checkpoints(trained, trained, CORPUS, trained, AverageShares())
    assert content(trained) == before
