"""The rows of the contexts: which are kept, and how they learn."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.network.config import NetworkConfig
from model.network.contexts import Contexts, ContextState, pack_bits, unpack_rows
from model.network.network import Network
from training.backpropagation.unrolled import forward
from training.contexts.tables import PASSAGE_MOST, RowAdagrad, choose_rows, count_rows

CONFIG = NetworkConfig(
    "lstm", 1, 16, "helo ", contexts=("2", "3", "word"), context_width=4, context_bits=16
)
TEXTS = ["hello hello hello", "hello ole", "leo"]


def encoded() -> list[np.ndarray[tuple[int], np.dtype[np.int32]]]:
    return [CONFIG.vocabulary().encode(text) for text in TEXTS]


def rows_of(text: str) -> set[int]:
    ids = CONFIG.vocabulary().encode(text)[:, None]
    return set(Contexts(CONFIG).follow(ids, ContextState.initial(1))[0].ravel().tolist())


def made() -> tuple[Network, Tensor]:
    """A network that keeps every row of its texts, all random, and ids (time, batch)."""
    torch.manual_seed(0)
    network = Network(CONFIG)
    kept = np.flatnonzero(count_rows(encoded(), CONFIG))
    assert network.contexts is not None
    network.contexts.keep(pack_bits(kept, CONFIG.context_bits))
    network.contexts.rows[:-1].normal_()
    start = CONFIG.vocabulary().start
    ids = torch.tensor([[start, start], *zip(encoded()[0][:9], encoded()[1], strict=True)])
    return network, ids


def test_rows_are_counted_once_a_passage() -> None:
    counts = count_rows(encoded(), CONFIG)
    expected = Counter(row for text in TEXTS for row in rows_of(text))
    assert {row: counts[row] for row in np.flatnonzero(counts)} == expected


@pytest.mark.parametrize(
    ("characters", "passages"), [(499, 1), (1000, 2), (64_000, 64), (PASSAGE_MOST * 70, 70)]
)
def test_a_long_document_is_several_passages(characters: int, passages: int) -> None:
    ids = CONFIG.vocabulary().encode("h" * characters)
    assert count_rows([ids], CONFIG).max() == passages


def test_the_rows_of_most_passages_are_kept_and_none_of_a_single_one() -> None:
    counts = np.array([0, 3, 1, 7, 2, 5], np.uint32)
    assert choose_rows(counts, 3).tolist() == [1, 3, 5]
    assert choose_rows(counts, 100).tolist() == [1, 3, 4, 5]


def test_the_gradient_of_the_rows_is_that_of_autograd() -> None:
    network, ids = made()
    assert network.contexts is not None
    weight = torch.randn(*ids.shape, CONFIG.vocabulary().size)
    logits, _ = forward(network, ids, network.initial(2), torch.float32)
    (logits * weight).sum().backward()
    slots, read = network.contexts.slots, network.contexts.read
    assert slots is not None
    assert read is not None
    assert read.grad is not None
    found = torch.zeros_like(network.contexts.rows).index_add_(
        0, slots.flatten(), read.grad.reshape(-1, CONFIG.context_width)
    )

    rows = nn.Parameter(network.contexts.rows.clone())
    hidden, _ = network.cells[0](ids.t(), network.layers()[0].initial(2))
    x = torch.cat((hidden.transpose(0, 1), rows[slots].flatten(2)), dim=-1)
    expected = nn.functional.linear(x, network.output.weight, network.output.bias)
    torch.testing.assert_close(logits, expected)
    (expected * weight).sum().backward()
    torch.testing.assert_close(found, rows.grad)


def test_a_step_goes_down_the_gradient_by_the_rate_over_its_root_mean_square() -> None:
    network, ids = made()
    assert network.contexts is not None
    table = RowAdagrad(network.contexts, beginning=0)
    before = network.contexts.rows.clone()
    logits, _ = forward(network, ids[:2, :1], network.initial(1), torch.float32)
    logits.square().sum().backward()
    assert network.contexts.slots is not None
    assert network.contexts.read is not None
    assert network.contexts.read.grad is not None
    gradient = network.contexts.read.grad.reshape(-1, CONFIG.context_width)
    at = network.contexts.slots.flatten()
    table.step(0.1)
    change = network.contexts.rows - before
    unseen = len(before) - 1
    for slot, g in zip(at.tolist(), gradient, strict=True):
        if slot != unseen and (at == slot).sum() == 1:
            torch.testing.assert_close(change[slot], -0.1 * g / g.square().mean().sqrt())
    untouched = np.setdiff1d(np.arange(unseen), at.numpy())
    assert len(untouched)
    assert not change[untouched].any()


def test_what_was_not_kept_stays_zeros() -> None:
    network, ids = made()
    assert network.contexts is not None
    network.contexts.keep(np.zeros((1 << CONFIG.context_bits) // 8, np.uint8))
    table = RowAdagrad(network.contexts)
    logits, _ = forward(network, ids, network.initial(2), torch.float32)
    logits.square().sum().backward()
    table.step(0.1)
    assert network.contexts.rows.tolist() == [[0.0] * CONFIG.context_width]


def test_what_is_forgotten_is_learnt_anew() -> None:
    network, ids = made()
    assert network.contexts is not None
    network.contexts.rows.zero_()
    table = RowAdagrad(network.contexts)
    learnt = []
    for _ in range(2):
        torch.manual_seed(1)
        logits, _ = forward(network, ids, network.initial(2), torch.float32)
        logits.square().sum().backward()
        table.typical.zero_()
        table.step(0.1)
        learnt.append(network.contexts.rows.clone())
        assert learnt[-1].any()
        table.forget()
        assert not network.contexts.rows.any()
        assert not table.importance().any()
    torch.testing.assert_close(*learnt, rtol=0, atol=0)


def test_rare_rows_are_cut_before_frequent_ones() -> None:
    network, _ = made()
    assert network.contexts is not None
    rows = network.contexts.rows
    rows[0] = -40
    often = torch.ones(len(rows) - 1)
    often[0] = 1e6
    packed, levels, reach = network.contexts.packed(often)
    assert unpack_rows(packed[0], levels) / 127 * reach == pytest.approx(
        np.full(packed.shape[1] * 2, -40)
    )
    often[0] = 0
    packed, levels, reach = network.contexts.packed(often)
    assert reach < 20
    every, rest = torch.from_numpy(levels) / 127 * reach, rows[1:-1]
    error = (torch.from_numpy(unpack_rows(packed[1:], levels)) / 127 * reach - rest).abs()
    torch.testing.assert_close(error, (rest[..., None] - every).abs().min(dim=-1).values)
    assert error.square().mean() < 0.02 * rest.square().mean()


def test_a_checkpoint_holds_what_the_network_knows() -> None:
    network, ids = made()
    weights = network.weights()
    again = Network(CONFIG)
    again.load_weights(weights)
    with torch.no_grad():
        one, _ = forward(network, ids, network.initial(2), torch.float32)
        two, _ = forward(again, ids, again.initial(2), torch.float32)
    assert (one - two).square().mean() < 0.03 * one.var()
    again.load_weights(again.weights())
    with torch.no_grad():
        three, _ = forward(again, ids, again.initial(2), torch.float32)
    assert (two - three).square().mean() < 0.01 * one.var()
