"""Unrolled graphs reuse one weight matrix; its gradient is the sum over all time steps.

Many to many has a loss at every step, many to one only at the last step. One to many reads a
single input and then its own output. Truncated backpropagation carries the state over, but not the
gradient (Deep Learning, Goodfellow et al., 2016, section 10.2).
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.network.cells import CELLS, State
from model.network.config import NetworkConfig
from model.network.network import Network
from training.backpropagation.unrolled import forward
from training.lecture.graph import Graph, GraphStep, as_text

TIME = 5
Loss = Callable[[Network], Tensor]


def made(kind: str, layers: int = 1) -> Network:
    torch.manual_seed(0)
    network = Network(NetworkConfig(kind, layers, 16, "helo", byte_fallback=False)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.4)
    return network


IDS = torch.tensor([0, 1, 2, 2, 3, 0])


def many_to_many(networks: list[Network]) -> Tensor:
    """The loss of every step. Each step has its own network, which gets that step's gradient."""
    state: list[State] = networks[0].initial(1)
    loss = torch.zeros((), dtype=torch.float64)
    for t in range(TIME):
        logits, state = networks[t].step(IDS[t : t + 1], state)
        loss = loss + functional.cross_entropy(logits, IDS[t + 1 : t + 2])
    return loss


def many_to_one(networks: list[Network]) -> Tensor:
    """The loss of the last step alone."""
    state: list[State] = networks[0].initial(1)
    for t in range(TIME):
        logits, state = networks[t].step(IDS[t : t + 1], state)
    return functional.cross_entropy(logits, IDS[TIME : TIME + 1])


def one_to_many(networks: list[Network]) -> Tensor:
    """One input; each output's likeliest character is the next input."""
    state: list[State] = networks[0].initial(1)
    read = IDS[:1]
    loss = torch.zeros((), dtype=torch.float64)
    for t in range(TIME):
        logits, state = networks[t].step(read, state)
        loss = loss + functional.cross_entropy(logits, IDS[t + 1 : t + 2])
        read = logits.argmax(dim=-1)
    return loss


SHAPES = pytest.mark.parametrize("shape", [many_to_many, many_to_one, one_to_many])
Shape = Callable[[list[Network]], Tensor]


@SHAPES
@pytest.mark.parametrize("kind", CELLS)
def test_the_gradient_of_w_is_the_sum_over_all_time_steps(kind: str, shape: Shape) -> None:
    network = made(kind)
    whole = torch.autograd.grad(shape([network] * TIME), list(network.parameters()))
    copies = [made(kind) for _ in range(TIME)]
    shape(copies).backward()
    for index, gradient in enumerate(whole):
        shares = [list(copy.parameters())[index].grad for copy in copies]
        total = torch.stack([share for share in shares if share is not None]).sum(dim=0)
        torch.testing.assert_close(gradient, total)
    # More than one step must contribute, or there would be nothing to sum.
    assert sum(copy.layers()[0].W.grad is not None for copy in copies) == TIME


@SHAPES
@pytest.mark.parametrize("kind", CELLS)
def test_backpropagation_through_time_agrees_with_finite_differences(
    kind: str, shape: Shape
) -> None:
    network = made(kind)
    gradients = torch.autograd.grad(shape([network] * TIME), list(network.parameters()))
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        flat = parameter.detach().view(-1)
        for index in range(0, len(flat), max(1, len(flat) // 7)):
            kept = flat[index].item()
            losses = []
            for change in (1e-6, -1e-6):
                flat[index] = kept + change
                losses.append(shape([network] * TIME).item())
            flat[index] = kept
            difference = (losses[0] - losses[1]) / 2e-6
            assert gradient.reshape(-1)[index].item() == pytest.approx(
                difference, abs=1e-7, rel=1e-5
            )


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", CELLS)
def test_what_trains_computes_the_same_gradient(kind: str, layers: int) -> None:
    network = made(kind, layers).float()
    ids, targets = IDS[:-1, None], IDS[1:]
    logits, _ = forward(network, ids, network.initial(1), torch.float32)
    trained = torch.autograd.grad(
        functional.cross_entropy(logits[:, 0], targets, reduction="sum"), list(network.parameters())
    )
    by_step = torch.autograd.grad(many_to_many([network] * TIME), list(network.parameters()))
    for gradient, other in zip(trained, by_step, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_truncated_backpropagation_carries_the_state_over_and_not_the_gradient(kind: str) -> None:
    network = made(kind).float()
    ids = IDS[:-1, None]
    whole, _ = forward(network, ids, network.initial(1), torch.float32)
    _, between = forward(network, ids[:3], network.initial(1), torch.float32)
    carried = [tuple(part.detach() for part in layer) for layer in between]
    second, _ = forward(network, ids[3:], carried, torch.float32)
    torch.testing.assert_close(second, whole[3:])
    (truncated,) = torch.autograd.grad(second.sum(), [network.layers()[0].W])
    (full,) = torch.autograd.grad(whole[3:].sum(), [network.layers()[0].W])
    assert not torch.allclose(truncated, full, rtol=1e-3)


def test_the_unrolled_graph_is_drawn_with_one_u_one_w_and_one_v() -> None:
    graph = Graph(
        (GraphStep("h", "e"), GraphStep("e", "l", fed_back=True), GraphStep("\n", None)), before=8
    )
    assert as_text(graph).splitlines() == [
        "y       e       l",
        "        ↑       ↑             y = softmax(V h)",
        "h₈ ─W→  h₉ ─W→ h₁₀ ─W→ h₁₁    h = f(x, h before)",
        "        ↑       ↑       ↑     U x",
        "x       h      (e)      ↵",
    ]
