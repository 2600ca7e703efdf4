"""Backpropagation through time, written out: autograd's gradients in about half the time.

Autograd adds a matrix of W's size to the gradient at every step. Here the gradients δ_t of the
gates are gathered first. The gradient of W, the sum over time of δ_t h_{t-1}ᵀ, is then one product
at the end (Deep Learning, Goodfellow et al., 2016, section 10.2.2). Products are computed in
`precision`, bfloat16 or float32; sums, gates and states are float32. All arrays have time first:
(time, batch, …).

Autograd differentiates the kinds of cell that are not written out here.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.network.cells import Cell, State
from model.network.network import Network
from training.backpropagation.fused import FusedLSTM


class _ElmanSteps(Function):
    """h_t = tanh(x_t + W h_{t-1}); the gradient before tanh is δ_t = (1 − h_t²) ⊙ ∂h_t."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, resets: Tensor, W: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        time, batch, hidden = len(x), *h.shape
        before = W.new_empty(time, batch, hidden)
        out = h.new_empty(time, batch, hidden)
        Wt = W.t()
        for t in range(time):
            before[t] = h * resets[t]
            h = torch.add(x[t], torch.mm(before[t], Wt), out=out[t]).tanh_()
        ctx.save_for_backward(resets, W, before, out)
        return out, h.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor, dh: Tensor) -> tuple[Tensor | None, ...]:
        resets, W, before, out = ctx.saved_tensors
        dx = torch.empty_like(out, dtype=W.dtype)
        for t in reversed(range(len(out))):
            dx[t] = (dout[t] + dh) * (1 - out[t] * out[t])
            dh = torch.mm(dx[t], W).float() * resets[t]
        return dx.float(), None, _sum_over_time(dx, before), dh


class _GRUSteps(Function):
    """The GRU of `model.network.cells.GRU`; its bias c is added to the product W_n h."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, resets: Tensor, W: Tensor, c: Tensor, h: Tensor
    ) -> tuple[Tensor, Tensor]:
        time, batch, hidden = len(x), *h.shape
        before = W.new_empty(time, batch, hidden)
        kept = h.new_empty(time, batch, 5 * hidden)
        out = h.new_empty(time, batch, hidden)
        Wt = W.t()
        for t in range(time):
            h = h * resets[t]
            before[t] = h
            y = torch.mm(before[t], Wt).float()
            gates = (x[t, :, : 2 * hidden] + y[:, : 2 * hidden]).sigmoid_()
            r, z = gates.chunk(2, dim=1)
            hidden_n = y[:, 2 * hidden :] + c
            n = torch.tanh(x[t, :, 2 * hidden :] + r * hidden_n)
            torch.cat((gates, n, hidden_n, h), dim=1, out=kept[t])
            h = torch.add(n, z * (h - n), out=out[t])
        ctx.save_for_backward(resets, W, before, kept)
        return out, h.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor, dh: Tensor) -> tuple[Tensor | None, ...]:
        resets, W, before, kept = ctx.saved_tensors
        time, batch, hidden = dout.shape
        dx = W.new_empty(time, batch, 3 * hidden)
        dy = torch.empty_like(dx)
        for t in reversed(range(time)):
            r, z, n, hidden_n, h = kept[t].chunk(5, dim=1)
            dh = dh + dout[t]
            dn = dh * (1 - z) * (1 - n * n)
            dx[t, :, :hidden] = dn * hidden_n * r * (1 - r)
            dx[t, :, hidden : 2 * hidden] = dh * (h - n) * z * (1 - z)
            dx[t, :, 2 * hidden :] = dn
            dy[t, :, : 2 * hidden] = dx[t, :, : 2 * hidden]
            dy[t, :, 2 * hidden :] = dn * r
            dh = (dh * z + torch.mm(dy[t], W)) * resets[t]
        dc = dy[:, :, 2 * hidden :].float().sum((0, 1))
        return dx.float(), None, _sum_over_time(dy, before), dc, dh


class _LSTMSteps(Function):
    """The LSTM of `model.network.cells.LSTM`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, resets: Tensor, W: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        time, batch, hidden = len(x), *h.shape
        before = W.new_empty(time, batch, hidden)
        memory = h.new_empty(time, batch, hidden)
        squashed = h.new_empty(time, batch, hidden)
        gates = h.new_empty(time, batch, 4 * hidden)
        out = h.new_empty(time, batch, hidden)
        Wt = W.t()
        for t in range(time):
            before[t] = h * resets[t]
            torch.mul(c, resets[t], out=memory[t])
            torch.add(x[t], torch.mm(before[t], Wt), out=gates[t])
            gates[t, :, : 2 * hidden].sigmoid_()
            gates[t, :, 2 * hidden : 3 * hidden].tanh_()
            gates[t, :, 3 * hidden :].sigmoid_()
            i, f, g, o = gates[t].chunk(4, dim=1)
            c = (f * memory[t]).addcmul_(i, g)
            h = torch.mul(o, torch.tanh(c, out=squashed[t]), out=out[t])
        ctx.save_for_backward(resets, W, before, memory, squashed, gates)
        return out, h.clone(), c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        resets, W, before, memory, squashed, gates = ctx.saved_tensors
        time, batch, hidden = dout.shape
        dx = W.new_empty(time, batch, 4 * hidden)
        for t in reversed(range(time)):
            i, f, g, o = gates[t].chunk(4, dim=1)
            tanh_c = squashed[t]
            dh = dh + dout[t]
            dc = dc + dh * o * (1 - tanh_c * tanh_c)
            dx[t, :, :hidden] = dc * g * i * (1 - i)
            dx[t, :, hidden : 2 * hidden] = dc * memory[t] * f * (1 - f)
            dx[t, :, 2 * hidden : 3 * hidden] = dc * i * (1 - g * g)
            dx[t, :, 3 * hidden :] = dh * tanh_c * o * (1 - o)
            dh = torch.mm(dx[t], W).float() * resets[t]
            dc = dc * f * resets[t]
        return dx.float(), None, _sum_over_time(dx, before), dh, dc


def _sum_over_time(delta: Tensor, before: Tensor) -> Tensor:
    """∂W, the sum over time and batch of δ_t h_{t-1}ᵀ, as one product."""
    return torch.mm(delta.flatten(0, 1).t(), before.flatten(0, 1))


# The steps of each kind of cell. Each takes x, the resets, W, the kind's further biases and the
# parts of the state. It returns h at every step, and the parts of the state at the end.
WRITTEN_OUT: dict[str, type[Function]] = {
    "elman": _ElmanSteps,
    "gru": _GRUSteps,
    "lstm": _LSTMSteps,
}
WRITTEN_OUT_FOR_GPU = WRITTEN_OUT | {"lstm": FusedLSTM}


def unroll(
    cell: Cell, x: Tensor, resets: Tensor, state: State, precision: torch.dtype
) -> tuple[Tensor, State]:
    """Runs one layer over a sequence; returns h (time, batch, hidden) and the state at the end.

    `x` is the projected input U x_t + b (time, batch, gates · hidden). `resets` (time, batch, 1) is
    0 where a text begins, so that it starts from an empty state, and 1 elsewhere.
    """
    steps = (WRITTEN_OUT_FOR_GPU if x.is_cuda else WRITTEN_OUT).get(cell.kind.name)
    if steps is None:
        return unroll_by_autograd(cell, x, resets, state)
    biases = [getattr(cell, name) for name in cell.kind.biases]
    out, *end = steps.apply(x, resets, cell.W.to(precision), *biases, *state)
    return out, tuple(end)


def unroll_by_autograd(cell: Cell, x: Tensor, resets: Tensor, state: State) -> tuple[Tensor, State]:
    """`unroll` for any kind of cell: calls the cell for each step, all in float32."""
    outputs = []
    for projected, kept in zip(x, resets, strict=True):
        state = cell.advance(projected, tuple(part * kept for part in state))
        outputs.append(state[0])
    return torch.stack(outputs), state


def forward(
    network: Network,
    ids: Tensor,
    state: list[State],
    precision: torch.dtype,
    tables: bool = True,
) -> tuple[Tensor, list[State]]:
    """Runs the network over ids (time, batch); returns logits (time, batch, vocabulary) and state.

    The state is reset wherever the start symbol is read. Without `tables` the contexts are left
    out of the network, and their state stays as it is.
    """
    start = network.output.out_features
    resets = (ids != start).unsqueeze(-1).float()
    x, after = ids, []
    for cell, before in zip(network.layers(), state, strict=False):
        if x is ids and not ids.is_cuda:
            projected = cell.project(x)
        else:
            projected = _linear(_one_hot(x, start + 1), cell.U, cell.b, precision)
        x, end = unroll(cell, projected, resets, before, precision)
        after.append(end)
    weight = network.output.weight
    if network.contexts is not None and tables:
        rows, end = network.contexts(ids, state[-1])
        x = torch.cat((x, rows), dim=-1)
        after.append(end)
    elif network.contexts is not None:
        weight = weight[:, : network.config.hidden]
        after.append(state[-1])
    return _linear(x, weight, network.output.bias, precision), after


def _one_hot(x: Tensor, inputs: int) -> Tensor:
    """Ids as one-hot vectors; floats unchanged.

    On a GPU a product with one-hot vectors computes the gradient of U faster than a sum of columns.
    """
    return x if x.is_floating_point() else functional.one_hot(x, inputs)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype) -> Tensor:
    return functional.linear(x.to(precision), weight.to(precision)).float() + bias
