"""Each cell against a plain loop of its equation, and against torch's own recurrent layer."""

import pytest
import torch
from torch import Tensor, nn

from model.network.cells import CELLS, LSTM, Cell
from tests.torch_twin import torch_twin

INPUTS, HIDDEN, BATCH, TIME = 5, 16, 3, 7


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def made(kind: str) -> Cell:
    cell = CELLS[kind](INPUTS, HIDDEN)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(0, 0.4)
    return cell


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_computes_what_the_layer_of_torch_computes(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, TIME, INPUTS)
    out, state = cell(x, cell.initial(BATCH))
    expected, last = torch_twin(cell)(x)
    last_parts = last if isinstance(last, tuple) else (last,)
    torch.testing.assert_close(out, expected)
    for part, expected_part in zip(state, last_parts, strict=True):
        torch.testing.assert_close(part, expected_part[0])


@pytest.mark.parametrize("kind", CELLS)
def test_a_sequence_is_the_same_step_again_and_again(kind: str) -> None:
    cell = made(kind)
    x = torch.randn(BATCH, TIME, INPUTS)
    out, end = cell(x, cell.initial(BATCH))
    state = cell.initial(BATCH)
    for t in range(TIME):
        state = cell.step(x[:, t], state)
        torch.testing.assert_close(out[:, t], state[0])
    torch.testing.assert_close(end, state)


def test_the_elman_cell_is_its_equation() -> None:
    cell = made("elman")
    x, h = torch.randn(INPUTS), torch.randn(HIDDEN)
    (after,) = cell.step(x[None], (h[None],))
    for unit in range(HIDDEN):
        total = cell.b[unit] + cell.U[unit] @ x + cell.W[unit] @ h
        torch.testing.assert_close(after[0, unit], torch.tanh(total))


@pytest.mark.parametrize("kind", CELLS)
def test_an_id_is_a_one_hot_input(kind: str) -> None:
    cell = made(kind)
    ids = torch.tensor([[0, 3, 4]])
    one_hot: Tensor = nn.functional.one_hot(ids, INPUTS).float()
    from_ids, _ = cell(ids, cell.initial(1))
    from_one_hot, _ = cell(one_hot, cell.initial(1))
    torch.testing.assert_close(from_ids, from_one_hot)


def test_an_lstm_begins_by_remembering() -> None:
    cell = LSTM(INPUTS, HIDDEN)
    assert cell.b[HIDDEN : 2 * HIDDEN].eq(1).all()
    assert cell.b[:HIDDEN].eq(0).all()
