"""Measures one network along a text: its gradients, its saturated units and its states."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from model.network.cells import Elman
from model.network.network import Network

# A tanh above this magnitude is saturated: it lets less than a tenth of the gradient through. A σ
# as near to its ends is, too.
SATURATED = 0.95
# The gradient reaches as far as its norm is at least this share of the norm at the loss.
REACHED = 0.01


@dataclass(frozen=True)
class Flow:
    """The measurements of one network on some passages of text.

    `gradient` is the norm of the gradient of the last step's loss by the whole state of the first
    layer: entry k is k steps before the loss. It is a geometric mean over the passages. `saturated`
    is the share of saturated values (tanh above 0.95 in magnitude, gates as near to their ends)
    over all units and steps. `state` is the norm of the hidden state after each character: the root
    mean square over the units, averaged over the passages.
    """

    gradient: tuple[float, ...]
    saturated: float
    state: tuple[float, ...]

    @property
    def relative(self) -> tuple[float, ...]:
        """The gradient's norm at each distance, divided by its norm at distance 0."""
        return tuple(norm / self.gradient[0] for norm in self.gradient)

    @property
    def reach(self) -> int:
        """The longest distance up to which the gradient keeps the share `REACHED` of its norm."""
        for distance, share in enumerate(self.relative):
            if share < REACHED:
                return distance - 1
        return len(self.gradient) - 1

    @property
    def rate(self) -> float:
        """The factor by which a step changes the norm: the geometric mean over all distances."""
        return float(self.relative[-1] ** (1 / (len(self.gradient) - 1)))


class _Squashed(TorchFunctionMode):
    """Counts the results of all calls of tanh and σ, and how many of them are saturated.

    σ(x) = (1 + tanh(x/2)) / 2, so that 2σ − 1 is compared in place of a tanh.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values = 0
        self.saturated = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tanh, torch.sigmoid):
            height = result.detach() if func is torch.tanh else 2 * result.detach() - 1
            self.values += height.numel()
            self.saturated += int((height.abs() > SATURATED).sum())
        return result


def measure(network: Network, passages: Tensor) -> Flow:
    """Measures a network that reads passages of ids (passages, time + 1) from the empty state.

    The loss is that of the last id. All of it is computed in float64, whose range still holds a
    gradient that has vanished over a hundred steps.
    """
    network = copy.deepcopy(network).double()
    state = network.initial(len(passages))
    states = []
    with _Squashed() as squashed:
        for ids in passages[:, :-1].t():
            logits, state = network.step(ids, state)
            for part in state[0]:
                part.retain_grad()
            states.append(state[0])
    functional.cross_entropy(logits, passages[:, -1], reduction="sum").backward()
    return Flow(
        gradient=tuple(_norm(parts) for parts in reversed(states)),
        saturated=squashed.saturated / squashed.values,
        state=tuple(
            float(parts[0].detach().square().mean(dim=1).sqrt().mean()) for parts in states
        ),
    )


def _norm(parts: Sequence[Tensor]) -> float:
    """The norm of the gradient by all parts of the state, as a geometric mean over passages."""
    # A part of the state that the loss does not depend on has no gradient.
    squares = torch.stack([p.grad.square().sum(dim=1) for p in parts if p.grad is not None])
    return float(squares.sum(dim=0).sqrt().log().mean().exp())


def spectral_radius(cell: Elman) -> float:
    """The largest magnitude among the eigenvalues of W."""
    return float(torch.linalg.eigvals(cell.W.detach()).abs().max())


def set_spectral_radius(cell: Elman, radius: float) -> None:
    """Scales W to the given spectral radius."""
    with torch.no_grad():
        cell.W.mul_(radius / spectral_radius(cell))
