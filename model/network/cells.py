"""The recurrent cells, as their equations: Elman, GRU and LSTM behind one interface.

A cell is the function h_t = f(x_t, h_{t-1}) of Deep Learning (Goodfellow et al., 2016, chapter
10), with the same parameters at every step. Notation: x_t is the input, h the hidden state, W the
weights on the hidden state, U those on the input, b the bias; σ is the logistic sigmoid, ⊙ the
elementwise product. U, W and b hold the rows of a cell's gates, one gate after another.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from model.network.config import CELL_KINDS, CellKind

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One recurrent layer: an initial state, one step for a batch, and a whole sequence.

    Shapes: input (batch, inputs); each part of the state (batch, hidden); U (gates · hidden,
    inputs); W (gates · hidden, hidden); b (gates · hidden). The parts of a state are those that its
    kind names, h first. Here all of them are floating point.
    """

    kind: ClassVar[CellKind]

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.hidden = hidden
        bound = hidden**-0.5
        rows = self.kind.gates * hidden
        self.U = nn.Parameter(torch.empty(rows, inputs).uniform_(-bound, bound))
        self.W = nn.Parameter(torch.empty(rows, hidden).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.zeros(rows))

    def initial(self, batch: int) -> State:
        """The state before any input: zeros, one tensor (batch, hidden) for each part."""
        return tuple(self.b.new_zeros(batch, self.hidden) for _ in self.kind.state)

    def project(self, x: Tensor) -> Tensor:
        """U x + b for inputs (…, inputs), or for ids (…) as one-hot inputs: then a column of U."""
        if x.is_floating_point():
            return nn.functional.linear(x, self.U, self.b)
        return nn.functional.embedding(x, self.U.t()) + self.b

    def advance(self, projected: Tensor, state: State) -> State:
        """The next state from U x_t + b, shape (batch, gates · hidden), and the state before."""
        raise NotImplementedError(f"cell: {self.kind.name!r} has no step")

    def step(self, x: Tensor, state: State) -> State:
        """h_t = f(x_t, h_{t-1}): one step for a batch, from one state to the next."""
        return self.advance(self.project(x), state)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """A whole sequence: inputs (batch, time, …) to h (batch, time, hidden) and the state."""
        projected = self.project(x)
        outputs = []
        for t in range(projected.shape[1]):
            state = self.advance(projected[:, t], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state


class Elman(Cell):
    """The simple recurrence (Elman, 1990): h_t = tanh(U x_t + W h_{t-1} + b)."""

    kind = CELL_KINDS["elman"]

    def advance(self, projected: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(projected + h @ self.W.t()),)


class GRU(Cell):
    """The gated recurrent unit (Cho et al., 2014), with the reset gate applied after the product.

    r = σ(U_r x + W_r h + b_r); z = σ(U_z x + W_z h + b_z)
    n = tanh(U_n x + b_n + r ⊙ (W_n h + c)); h' = (1 − z) ⊙ n + z ⊙ h

    c is a bias of its own, which the reset gate scales, as in cuDNN and torch.
    """

    kind = CELL_KINDS["gru"]

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.c = nn.Parameter(torch.zeros(hidden))

    def advance(self, projected: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, dim=-1)
        h_r, h_z, h_n = (h @ self.W.t()).chunk(3, dim=-1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * (h_n + self.c))
        return ((1 - z) * n + z * h,)


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

    i, f, o = σ(U x + W h + b), each with rows of its own; g = tanh(U_g x + W_g h + b_g)
    c' = f ⊙ c + i ⊙ g; h' = o ⊙ tanh(c')

    The rows of U, W and b are those of i, f, g and o, in this order. The forget gate's bias starts
    at 1, so that the memory is kept until training changes that (Jozefowicz et al., 2015).
    """

    kind = CELL_KINDS["lstm"]

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        with torch.no_grad():
            self.b[hidden : 2 * hidden] = 1.0

    def advance(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (projected + h @ self.W.t()).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


CELLS: dict[str, type[Cell]] = {cell.kind.name: cell for cell in (Elman, GRU, LSTM)}
