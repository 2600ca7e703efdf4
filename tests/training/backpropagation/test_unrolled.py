"""Backpropagation through time written out, against autograd and against finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model.network.cells import CELLS, State
from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.network import Network
from training.backpropagation.unrolled import forward, unroll, unroll_by_autograd

START = 4


def made(kind: str, layers: int) -> tuple[Network, Tensor, list[State]]:
    """A network with random weights, ids (time, batch) with resets inside, and a state."""
    torch.manual_seed(0)
    network = Network(NetworkConfig(kind, layers, 16, "helo", byte_fallback=False))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
    ids = torch.randint(0, 4, (9, 3))
    ids[4, 1] = ids[0, 2] = START
    state = [tuple(torch.randn_like(p) * 0.5 for p in layer) for layer in network.initial(3)]
    return network, ids, state


def by_autograd(network: Network, ids: Tensor, state: list[State]) -> Tensor:
    outputs = []
    for row in ids:
        kept = (row != START).unsqueeze(-1).float()
        logits, state = network.step(row, [tuple(p * kept for p in layer) for layer in state])
        outputs.append(logits)
    return torch.stack(outputs)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_gradients_are_those_of_autograd(kind: str, layers: int) -> None:
    network, ids, state = made(kind, layers)
    weight = torch.randn(9, 3, 4)
    logits, _ = forward(network, ids, state, torch.float32)
    expected = by_autograd(network, ids, state)
    torch.testing.assert_close(logits, expected)
    gradients = torch.autograd.grad((logits * weight).sum(), list(network.parameters()))
    autograd = torch.autograd.grad((expected * weight).sum(), list(network.parameters()))
    for gradient, other in zip(gradients, autograd, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_what_is_left_to_autograd_is_what_is_written_out(kind: str) -> None:
    torch.manual_seed(1)
    cell = CELLS[kind](16, 16)
    resets = (torch.rand(7, 3, 1) > 0.3).float()
    x = torch.randn(7, 3, cell.kind.gates * 16, requires_grad=True)
    state = tuple(torch.randn(3, 16, requires_grad=True) for _ in cell.kind.state)
    weights = [torch.randn(7, 3, 16), *(torch.randn(3, 16) for _ in state)]
    found = []
    biases = [getattr(cell, name) for name in cell.kind.biases]
    for out, end in (
        unroll(cell, x, resets, state, torch.float32),
        unroll_by_autograd(cell, x, resets, state),
    ):
        loss = sum((a * b).sum() for a, b in zip((out, *end), weights, strict=True))
        assert isinstance(loss, Tensor)
        found.append([out, *end, *torch.autograd.grad(loss, [x, cell.W, *biases, *state])])
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("kind", CELLS)
def test_the_gradient_of_w_is_that_of_finite_differences(kind: str) -> None:
    network, ids, state = made(kind, 1)
    weight = torch.randn(9, 3, 4)
    w = network.layers()[0].W

    def loss() -> Tensor:
        return (forward(network, ids, state, torch.float32)[0] * weight).sum()

    (gradient,) = torch.autograd.grad(loss(), [w])
    for row, column in ((0, 0), (7, 3), (w.shape[0] - 1, 15)):
        with torch.no_grad():
            w[row, column] += 1e-2
            above = loss()
            w[row, column] -= 2e-2
            below = loss()
            w[row, column] += 1e-2
        difference = (above - below) / 2e-2
        torch.testing.assert_close(gradient[row, column], difference, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kind", CELLS)
def test_the_state_goes_on_from_window_to_window(kind: str) -> None:
    network, ids, state = made(kind, 2)
    whole, end = forward(network, ids, state, torch.float32)
    first, between = forward(network, ids[:5], state, torch.float32)
    second, last = forward(network, ids[5:], between, torch.float32)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(last, end)


@pytest.mark.parametrize("kind", CELLS)
def test_nothing_of_the_text_before_reaches_a_text_that_begins(kind: str) -> None:
    network, ids, state = made(kind, 1)
    other = [tuple(p + 1 for p in layer) for layer in state]
    first, _ = forward(network, ids, state, torch.float32)
    second, _ = forward(network, ids, other, torch.float32)
    torch.testing.assert_close(first[4:, 1], second[4:, 1], rtol=0, atol=0)
    torch.testing.assert_close(first[:, 2], second[:, 2], rtol=0, atol=0)
    assert not torch.equal(first[:, 0], second[:, 0])


@pytest.mark.parametrize("kind", CELLS)
def test_bfloat16_products_are_close(kind: str) -> None:
    network, ids, state = made(kind, 1)
    exact, _ = forward(network, ids, state, torch.float32)
    rough, _ = forward(network, ids, state, torch.bfloat16)
    assert (exact - rough).abs().max() < 0.1


def test_contexts_are_those_of_the_network_and_begin_anew_with_a_text() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        "lstm",
        1,
        16,
        "helo",
        byte_fallback=False,
        contexts=("2", "5", "word", "words"),
        context_width=4,
        context_bits=16,
    )
    network = Network(config)
    assert network.contexts is not None
    network.contexts.keep(pack_bits(np.arange(1 << 16), 16))
    network.contexts.rows[:-1].normal_()
    ids = torch.randint(0, 4, (9, 3))
    ids[0] = START
    ids[4, 1] = START
    state = network.initial(3)
    with torch.no_grad():
        logits, _ = forward(network, ids, state, torch.float32)
        for stream, begin in ((0, 0), (1, 0), (1, 4), (2, 0)):
            end = 4 if (stream, begin) == (1, 0) else 9
            alone, _ = network(ids[None, begin:end, stream], network.initial(1))
            torch.testing.assert_close(logits[begin:end, stream], alone[0])
