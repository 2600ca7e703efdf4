"""The LSTM's backpropagation through time for a GPU: each time step is one product and one kernel.

It computes the same sums as `training.backpropagation.unrolled`. On a GPU the cost of an
elementwise operation is its memory traffic, so torch.compile fuses all those of a step into one
kernel. Gates are kept in the type of W, the precision of the products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Elementwise = Callable[..., None]


def forward_step(
    x: Tensor,
    y: Tensor,
    memory: Tensor,
    after: Tensor,
    gates: Tensor,
    cell: Tensor,
    out: Tensor,
    next_h: Tensor,
    next_memory: Tensor,
) -> None:
    """Computes one step of the LSTM: reads the first four arguments, writes the last five.

    `x` is the projected input, `y` the product W h, and `memory` the c of the step before. `after`
    is 0 where the next step begins a text, else 1. The results are `gates` (i, f, g, o), `cell`
    (c), `out` (h), and `next_h` and `next_memory`: h and c times `after`, for the next step.
    """
    i, f, g, o = (x + y).chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * memory + i * g
    h = o * c.tanh()
    gates.copy_(torch.cat((i, f, g, o), dim=1))
    cell.copy_(c)
    out.copy_(h)
    next_h.copy_(h * after)
    next_memory.copy_(c * after)


def backward_step(
    gates: Tensor,
    cell: Tensor,
    memory: Tensor,
    dout: Tensor,
    dh: Tensor,
    dc: Tensor,
    reset: Tensor,
    delta: Tensor,
) -> None:
    """Computes one step of the backward pass: writes `delta` and updates `dc`.

    `delta` becomes the gradients of i, f, g, o before tanh and σ. On entry `dc` is the gradient of
    this step's c; on return it is that of the c of the step before. `dh` is the product of W and
    the next step's `delta`. `reset` (2, batch, 1) holds the resets of this step and of the next.
    """
    i, f, g, o = gates.float().chunk(4, dim=1)
    tanh_c = cell.tanh()
    dh = dh * reset[1] + dout
    total = dc + dh * o * (1 - tanh_c * tanh_c)
    delta.copy_(
        torch.cat(
            (
                total * g * i * (1 - i),
                total * memory * f * (1 - f),
                total * i * (1 - g * g),
                dh * tanh_c * o * (1 - o),
            ),
            dim=1,
        )
    )
    dc.copy_(total * f * reset[0])


@cache
def _compiled(step: Elementwise) -> Elementwise:
    return torch.compile(step, dynamic=False)


class FusedLSTM(Function):
    """From projected inputs x (time, batch, 4 · hidden) to h (time, batch, hidden), last h and c.

    `resets` (time, batch, 1) is 0 where a text begins, else 1.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, resets: Tensor, W: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        step = _compiled(forward_step) if x.is_cuda else forward_step
        time, batch, hidden = len(x), *h.shape
        resets = torch.cat((resets, torch.ones_like(resets[:1])))
        before = W.new_empty(time + 1, batch, hidden)
        before[0] = h * resets[0]
        # Each t has its own storage. With views into one storage, torch.compile would compile a
        # kernel for every offset.
        memory = [c * resets[0], *(torch.empty_like(c) for _ in range(time))]
        cells, out = c.new_empty(time, batch, hidden), c.new_empty(time, batch, hidden)
        gates = W.new_empty(time, batch, 4 * hidden)
        Wt = W.t()
        for t in range(time):
            y = torch.mm(before[t], Wt)
            written = (gates[t], cells[t], out[t], before[t + 1], memory[t + 1])
            step(x[t], y, memory[t], resets[t + 1], *written)
        ctx.save_for_backward(resets, W, before, cells, gates, *memory)
        return out, out[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        resets, W, before, cells, gates, *memory = ctx.saved_tensors
        step = _compiled(backward_step) if dout.is_cuda else backward_step
        delta = torch.empty_like(gates)
        dc = dc.clone()
        dh = dh.to(W.dtype)
        for t in reversed(range(len(dout))):
            step(gates[t], cells[t], memory[t], dout[t], dh, dc, resets[t : t + 2], delta[t])
            dh = torch.mm(delta[t], W)
        dW = torch.mm(delta.flatten(0, 1).t(), before[:-1].flatten(0, 1))
        return delta.float(), None, dW, dh.float() * resets[0], dc
