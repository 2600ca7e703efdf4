"""The network: layers of one kind of cell, and an output layer over the vocabulary."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.cells import CELLS, Cell, State
from model.config import NetworkConfig


class Network(nn.Module):
    """y_t = softmax(V h_t + a), with h_t from the last of the stacked cells.

    The first layer reads one-hot characters, and the start symbol, as ids; each further layer
    reads the hidden state of the layer below.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        size = config.vocabulary().size
        kind = CELLS[config.cell]
        inputs = [size + 1] + [config.hidden] * (config.layers - 1)
        self.cells = nn.ModuleList(kind(n, config.hidden) for n in inputs)
        # Of a one-hot input a single column of U reaches the gates; it must weigh by itself what a
        # dense input's sum does. With columns as small as W's, training lags far behind at first.
        nn.init.normal_(self.layers()[0].U)
        self.output = nn.Linear(config.hidden, size)

    def initial(self, batch: int) -> list[State]:
        """The state of every layer before any input."""
        return [cell.initial(batch) for cell in self.layers()]

    def step(self, ids: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """One step: ids (batch,) to logits (batch, vocabulary), and the next state."""
        x, after = ids, []
        for cell, before in zip(self.layers(), state, strict=True):
            after.append(cell.step(x, before))
            x = after[-1][0]
        return self.output(x), after

    def forward(self, ids: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """A whole sequence: ids (batch, time) to logits (batch, time, vocabulary)."""
        x, after = ids, []
        for cell, before in zip(self.layers(), state, strict=True):
            x, end = cell(x, before)
            after.append(end)
        return self.output(x), after

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """All parameters by name, as arrays: what a checkpoint keeps."""
        return {name: p.detach().float().numpy().copy() for name, p in self.named_parameters()}

    def load_weights(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Takes the parameters of a checkpoint, whose names and shapes must be this network's."""
        self.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})

    def layers(self) -> list[Cell]:
        """The cells, from the one that reads the characters upwards."""
        return [cell for cell in self.cells if isinstance(cell, Cell)]
