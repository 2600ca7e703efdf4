"""The network: layers of one kind of cell, and an output layer over the vocabulary.

In a network with contexts, the output layer also reads the rows that they lead to.
"""

import numpy as np
import torch
from torch import Tensor, nn

from model.network.cells import CELLS, Cell, State
from model.network.config import NetworkConfig, Weights, for_cell
from model.network.embedding import ContextEmbedding


class Network(nn.Module):
    """y_t = softmax(V h_t + a), with h_t from the last of the stacked cells.

    The first layer reads one-hot characters, and the start symbol, as ids; each further layer
    reads the hidden state of the layer below. With contexts, V reads [h_t; e_t], where e_t are the
    rows that the contexts lead to after x_t.

    A state is a list: the state of each layer, then that of the contexts, if there are any.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        size = config.vocabulary().size
        cell = for_cell(CELLS, config.cell)
        inputs = [size + 1] + [config.hidden] * (config.layers - 1)
        self.cells = nn.ModuleList(cell(n, config.hidden) for n in inputs)
        # For a one-hot input, a single column of U reaches the gates. So its numbers must be as
        # large as sums over a dense input are. With numbers as small as those of W, training is
        # much slower at first.
        nn.init.normal_(self.layers()[0].U)
        self.output = nn.Linear(config.output_inputs, size)
        self.contexts = ContextEmbedding(config) if config.contexts else None

    def initial(self, batch: int) -> list[State]:
        """The state of every layer, and of the contexts, before any input."""
        state = [cell.initial(batch) for cell in self.layers()]
        return state if self.contexts is None else [*state, self.contexts.initial(batch)]

    def step(self, ids: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """One step: ids (batch,) to logits (batch, vocabulary), and the next state."""
        x, after = ids, []
        for cell, before in zip(self.layers(), state, strict=False):
            after.append(cell.step(x, before))
            x = after[-1][0]
        if self.contexts is not None:
            rows, end = self.contexts(ids[None], state[-1])
            x = torch.cat((x, rows[0]), dim=-1)
            after.append(end)
        return self.output(x), after

    def forward(self, ids: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """A whole sequence: ids (batch, time) to logits (batch, time, vocabulary)."""
        x, after = ids, []
        for cell, before in zip(self.layers(), state, strict=False):
            x, end = cell(x, before)
            after.append(end)
        if self.contexts is not None:
            rows, end = self.contexts(ids.t(), state[-1])
            x = torch.cat((x, rows.transpose(0, 1)), dim=-1)
            after.append(end)
        return self.output(x), after

    def weights(self, importance: Tensor | None = None) -> Weights:
        """All parameters by name, as the arrays that a checkpoint keeps.

        The contexts' rows are packed, and their scale goes into the output layer's columns.
        `importance` (kept rows) is the weight of each row when the levels are fitted.
        """
        weights: Weights = {
            name: p.detach().float().cpu().numpy().copy() for name, p in self.named_parameters()
        }
        if self.contexts is not None:
            rows, levels, reach = self.contexts.packed(importance)
            weights["output.weight"][:, self.config.hidden :] *= np.float32(reach)
            kept = self.contexts.kept.kept
            weights |= {"contexts.kept": kept, "contexts.levels": levels, "contexts.rows": rows}
        return weights

    def load_weights(self, weights: Weights) -> None:
        """Takes the parameters of a checkpoint, whose names and shapes must be this network's."""
        self.load_dense(weights)
        if self.contexts is not None:
            self.contexts.keep(weights["contexts.kept"])
            self.contexts.load_packed(weights["contexts.rows"], weights["contexts.levels"])

    def load_dense(self, weights: Weights) -> None:
        """Takes all parameters of a checkpoint except the contexts' rows."""
        names = {name for name, _ in self.named_parameters()}
        self.load_state_dict({name: torch.from_numpy(weights[name].copy()) for name in names})

    @property
    def size(self) -> int:
        """How many numbers are learnt, including those of the contexts' rows."""
        rows = 0 if self.contexts is None else self.contexts.rows[:-1].numel()
        return rows + sum(p.numel() for p in self.parameters())

    def layers(self) -> list[Cell]:
        """The cells, from the one that reads the characters upwards."""
        return [cell for cell in self.cells if isinstance(cell, Cell)]
