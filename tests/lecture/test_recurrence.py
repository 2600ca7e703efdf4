"""h_t = f(x_t, h_{t-1}), with the same f and the same parameters at every step.

Each kind of cell is compared with its equation, as a plain loop over units in Python numbers.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from model.network.cells import CELLS, GRU, Cell
from model.network.config import NetworkConfig
from model.network.network import Network
from tests.torch_twin import torch_twin

INPUTS, HIDDEN, BATCH, TIME = 3, 4, 2, 6
Vector = list[float]
Matrix = list[Vector]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def made(kind: str, inputs: int = INPUTS) -> Cell:
    """A cell in float64 with random weights and biases."""
    cell = CELLS[kind](inputs, HIDDEN).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(0, 0.7)
    return cell


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def dot(row: Vector, vector: Vector) -> float:
    return sum(w * v for w, v in zip(row, vector, strict=True))


def elman_step(cell: Cell, x: Vector, state: list[Vector]) -> list[Vector]:
    U, W, b = cell.U.tolist(), cell.W.tolist(), cell.b.tolist()
    (h,) = state
    return [[math.tanh(dot(U[k], x) + dot(W[k], h) + b[k]) for k in range(HIDDEN)]]


def gru_step(cell: Cell, x: Vector, state: list[Vector]) -> list[Vector]:
    assert isinstance(cell, GRU)
    U, W, b, c = cell.U.tolist(), cell.W.tolist(), cell.b.tolist(), cell.c.tolist()
    (h,) = state
    after = []
    for k in range(HIDDEN):
        r, z, n = k, HIDDEN + k, 2 * HIDDEN + k
        reset = sigmoid(dot(U[r], x) + dot(W[r], h) + b[r])
        update = sigmoid(dot(U[z], x) + dot(W[z], h) + b[z])
        new = math.tanh(dot(U[n], x) + b[n] + reset * (dot(W[n], h) + c[k]))
        after.append((1 - update) * new + update * h[k])
    return [after]


def lstm_step(cell: Cell, x: Vector, state: list[Vector]) -> list[Vector]:
    U, W, b = cell.U.tolist(), cell.W.tolist(), cell.b.tolist()
    h, c = state
    after_h, after_c = [], []
    for k in range(HIDDEN):
        rows = (k, HIDDEN + k, 2 * HIDDEN + k, 3 * HIDDEN + k)
        i, f, g, o = (dot(U[row], x) + dot(W[row], h) + b[row] for row in rows)
        after_c.append(sigmoid(f) * c[k] + sigmoid(i) * math.tanh(g))
        after_h.append(sigmoid(o) * math.tanh(after_c[-1]))
    return [after_h, after_c]


STEPS: dict[str, Callable[[Cell, Vector, list[Vector]], list[Vector]]] = {
    "elman": elman_step,
    "gru": gru_step,
    "lstm": lstm_step,
}


def test_the_elman_recurrence_is_tanh_of_u_x_plus_w_h() -> None:
    cell = made("elman")
    x, h = torch.randn(1, INPUTS).double(), torch.randn(1, HIDDEN).double()
    (after,) = cell.step(x, (h,))
    by_hand = torch.tanh(cell.U @ x[0] + cell.W @ h[0] + cell.b)
    torch.testing.assert_close(after[0], by_hand)


def test_the_output_is_the_softmax_of_v_h() -> None:
    network = Network(NetworkConfig("elman", 1, 16, "helo", byte_fallback=False))
    V, a = network.output.weight, network.output.bias
    ids, state = torch.tensor([2]), network.initial(1)
    logits, ((h,),) = network.step(ids, state)
    (expected,) = network.layers()[0].step(ids, network.layers()[0].initial(1))
    torch.testing.assert_close(h, expected)
    torch.testing.assert_close(logits[0], V @ h[0] + a)


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_the_plain_loop_of_its_equation(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, TIME, INPUTS).double()
    begin = tuple(torch.randn(BATCH, HIDDEN).double() for _ in cell.initial(BATCH))
    outputs, end = cell(x, begin)
    for row in range(BATCH):
        state: list[Vector] = [part[row].tolist() for part in begin]
        for t in range(TIME):
            state = STEPS[kind](cell, x[row, t].tolist(), state)
            assert outputs[row, t].tolist() == pytest.approx(state[0])
        assert [part[row].tolist() for part in end] == [pytest.approx(part) for part in state]


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_the_frameworks_own_layer(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, TIME, INPUTS).double()
    outputs, _ = cell(x, cell.initial(BATCH))
    torch.testing.assert_close(outputs, torch_twin(cell)(x)[0])


@pytest.mark.parametrize("kind", CELLS)
def test_the_state_is_updated_step_by_step_as_the_sequence_is_processed(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, TIME, INPUTS).double()
    state = cell.initial(BATCH)
    outputs, _ = cell(x, state)
    for t in range(TIME):
        state = cell.step(x[:, t], state)
        torch.testing.assert_close(outputs[:, t], state[0])


@pytest.mark.parametrize("kind", CELLS)
def test_the_first_state_is_zero_and_has_a_row_for_each_sequence(kind: str) -> None:
    cell = CELLS[kind](INPUTS, HIDDEN).double()
    state = cell.initial(5)
    assert len(state) == {"elman": 1, "gru": 1, "lstm": 2}[kind]
    for part in state:
        assert part.shape == (5, HIDDEN)
        assert part.dtype == torch.float64
        assert not part.any()


@pytest.mark.parametrize("kind", CELLS)
def test_a_character_is_a_one_hot_input(kind: str) -> None:
    cell = made(kind)
    ids = torch.tensor([[0, 2, 1]])
    one_hot: Tensor = nn.functional.one_hot(ids, INPUTS).double()
    torch.testing.assert_close(
        cell(ids, cell.initial(1))[0], cell(one_hot, cell.initial(1))[0], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("kind", CELLS)
def test_unrolling_more_steps_takes_no_more_parameters(kind: str) -> None:
    network = Network(NetworkConfig(kind, 2, 16, "helo", byte_fallback=False))
    parameters = sum(p.numel() for p in network.parameters())
    for time in (1, 10, 100):
        logits, _ = network(torch.zeros(1, time, dtype=torch.long), network.initial(1))
        assert logits.shape == (1, time, 4)
        assert sum(p.numel() for p in network.parameters()) == parameters
        # Every parameter takes part, whatever the number of steps.
        gradients = torch.autograd.grad(logits[0, -1].logsumexp(-1), list(network.parameters()))
        assert all(g.shape == p.shape for g, p in zip(gradients, network.parameters(), strict=True))


@pytest.mark.parametrize("kind", CELLS)
def test_one_cell_object_is_applied_at_every_step(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, applied = made(kind), []
    advance = cell.advance

    def recorded(projected: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        applied.append(state[0])
        return advance(projected, state)

    monkeypatch.setattr(cell, "advance", recorded)
    outputs, _ = cell(torch.randn(1, TIME, INPUTS).double(), cell.initial(1))
    assert len(applied) == TIME
    for t in range(1, TIME):
        assert torch.equal(applied[t], outputs[:, t - 1])


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_an_rnn_has_as_many_hidden_layers_as_one_likes(kind: str, layers: int) -> None:
    network = Network(NetworkConfig(kind, layers, 16, "helo", byte_fallback=False))
    ids = torch.tensor([[0, 1, 2, 2, 3]])
    logits, end = network(ids, network.initial(1))
    # Each layer reads the hidden states of the layer below.
    x: Tensor = ids
    for number, cell in enumerate(network.layers()):
        x, state = cell(x, cell.initial(1))
        torch.testing.assert_close(state, end[number])
    torch.testing.assert_close(network.output(x), logits)
    assert [(c.inputs, c.hidden) for c in network.layers()] == [(5, 16)] + [(16, 16)] * (layers - 1)


@pytest.mark.parametrize("kind", CELLS)
def test_weights_begin_small_and_spread_and_biases_at_zero(kind: str) -> None:
    hidden = 64
    cell = CELLS[kind](128, hidden)
    rows = {"elman": 1, "gru": 3, "lstm": 4}[kind] * hidden
    shapes = {name: tuple(p.shape) for name, p in cell.named_parameters()}
    assert shapes.pop("c", (hidden,)) == (hidden,)
    assert shapes == {"U": (rows, 128), "W": (rows, hidden), "b": (rows,)}
    for weight in (cell.U.detach(), cell.W.detach()):
        # Uniform between ∓ 1/√hidden, whose standard deviation is 1/√(3 hidden).
        assert 0.99 * hidden**-0.5 < float(weight.max()) <= hidden**-0.5
        assert -(hidden**-0.5) <= float(weight.min()) < -0.99 * hidden**-0.5
        assert float(weight.mean()) == pytest.approx(0, abs=0.005)
        assert float(weight.std()) == pytest.approx((3 * hidden) ** -0.5, rel=0.05)
    expected = torch.zeros(rows)
    if kind == "lstm":
        # An LSTM begins by remembering.
        expected[hidden : 2 * hidden] = 1
    assert torch.equal(cell.b, expected)
    if isinstance(cell, GRU):
        assert not cell.c.any()


def test_an_interface_alone_is_no_cell() -> None:
    with pytest.raises(NotImplementedError):
        Cell.advance(made("elman"), torch.zeros(1, HIDDEN), (torch.zeros(1, HIDDEN),))


@pytest.mark.parametrize("kind", CELLS)
def test_a_batch_is_the_same_step_for_each_of_its_sequences(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, INPUTS).double()
    state = tuple(torch.randn(BATCH, HIDDEN).double() for _ in cell.initial(BATCH))
    together = cell.step(x, state)
    for row in range(BATCH):
        alone = cell.step(x[row], tuple(part[row] for part in state))
        for part, expected in zip(alone, together, strict=True):
            torch.testing.assert_close(part, expected[row])
