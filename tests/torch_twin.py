"""torch's own recurrent layer with the weights of one of our cells, to compare the two."""

from collections.abc import Callable

import torch
from torch import nn

from model.network.cells import GRU, LSTM, Cell, Elman


def torch_twin(cell: Cell) -> nn.RNNBase:
    kinds: dict[type[Cell], Callable[..., nn.RNNBase]] = {Elman: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}
    twin = kinds[type(cell)](cell.inputs, cell.hidden, batch_first=True).to(cell.W.dtype)
    parameters = dict(twin.named_parameters())
    with torch.no_grad():
        parameters["weight_ih_l0"].copy_(cell.U)
        parameters["weight_hh_l0"].copy_(cell.W)
        parameters["bias_ih_l0"].copy_(cell.b)
        parameters["bias_hh_l0"].zero_()
        if isinstance(cell, GRU):
            parameters["bias_hh_l0"][2 * cell.hidden :].copy_(cell.c)
    return twin
