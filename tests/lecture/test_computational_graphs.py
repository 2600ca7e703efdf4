"""Computational graphs: sums over paths, autograd, and the two-layer perceptron's gradients."""

from collections.abc import Iterator
from math import prod

import pytest
import torch
from torch import Tensor


def test_the_graph_of_e_is_6_and_its_derivative_by_b_is_5() -> None:
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    c, d = a + b, b + 1
    e = c * d
    e.backward()
    assert (c.item(), d.item(), e.item()) == (3, 2, 6)
    assert b.grad is not None
    assert b.grad.item() == 1 * 2 + 1 * 3 == 5
    assert a.grad is not None
    assert a.grad.item() == 2


def test_summing_over_paths_gives_the_same_derivative() -> None:
    # e = c · d, c = a + b, d = b + 1 at a = 2, b = 1: the derivative along each edge.
    c, d = 2 + 1, 1 + 1
    edges = {("a", "c"): 1, ("b", "c"): 1, ("b", "d"): 1, ("c", "e"): d, ("d", "e"): c}

    def paths(begin: str, end: str) -> Iterator[tuple[int, ...]]:
        if begin == end:
            yield ()
        for (below, above), derivative in edges.items():
            if below == begin:
                for rest in paths(above, end):
                    yield (derivative, *rest)

    assert sorted(paths("b", "e")) == [(1, 2), (1, 3)]
    assert sum(prod(path) for path in paths("b", "e")) == 5
    assert sum(prod(path) for path in paths("a", "e")) == 2


def test_autograd_of_the_sum_of_x_y_plus_z() -> None:
    x, y, z = (
        torch.tensor(values, requires_grad=True) for values in ([1.0, 2.0], [2.0, 3.0], [4.0, 3.0])
    )
    c = (x * y + z).sum()
    c.backward()
    assert c.item() == 15
    gradients = [tensor.grad.tolist() for tensor in (x, y, z) if tensor.grad is not None]
    assert gradients == [[2, 3], [1, 2], [1, 1]]


def perceptron(x: Tensor, W: Tensor, b: Tensor, V: Tensor, a: Tensor) -> Tensor:
    """h = tanh(W x + b), y = V h + a."""
    return V @ torch.tanh(W @ x + b) + a


def test_the_two_layer_perceptron_forward() -> None:
    x, W, b = (
        torch.tensor([1.0, -1.0]),
        torch.tensor([[0.5, 0.25], [0.0, 1.0]]),
        torch.tensor([0.25, 1.0]),
    )
    V, a = torch.tensor([[2.0, 3.0]]), torch.tensor([0.5])
    # W x + b = (0.5 − 0.25 + 0.25, −1 + 1) = (0.5, 0), so y = 2 tanh 0.5 + 3 · 0 + 0.5.
    assert perceptron(x, W, b, V, a).item() == pytest.approx(2 * 0.46211715726 + 0.5)


def test_the_two_layer_perceptrons_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    shapes = ((3,), (5, 3), (5,), (2, 5), (2,))
    inputs = tuple(torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in shapes)
    assert torch.autograd.gradcheck(perceptron, inputs)
