"""The fused LSTM: the values and gradients of the one that is written out."""

from __future__ import annotations

import pytest
import torch

from model.network.cells import LSTM
from training.backpropagation.fused import FusedLSTM
from training.backpropagation.unrolled import unroll


@pytest.mark.parametrize("time", [1, 2, 9])
def test_values_and_gradients_are_those_of_the_written_out_steps(time: int) -> None:
    torch.manual_seed(time)
    batch, hidden = 5, 16
    cell = LSTM(hidden, hidden)
    resets = (torch.rand(time, batch, 1) > 0.3).float()
    inputs = [torch.randn(time, batch, 4 * hidden), *torch.randn(2, batch, hidden)]
    weights = torch.randn(time, batch, hidden), *torch.randn(2, batch, hidden)

    def results(fused: bool) -> list[torch.Tensor]:
        x, h, c = (part.clone().requires_grad_() for part in inputs)
        cell.W.grad = None
        if fused:
            out, *state = FusedLSTM.apply(x, resets, cell.W, h, c)  # type: ignore[no-untyped-call]
        else:
            out, state = unroll(cell, x, resets, (h, c), torch.float32)
        sum((a * b).sum() for a, b in zip((out, *state), weights, strict=True)).backward()
        assert cell.W.grad is not None
        return [out, *state, x.grad, h.grad, c.grad, cell.W.grad]

    for got, expected in zip(results(True), results(False), strict=True):
        torch.testing.assert_close(got, expected)
