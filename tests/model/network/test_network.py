import numpy as np
import pytest
import torch

from model.checkpoint import expected_shapes
from model.network.cells import CELLS
from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.network import Network

CONTEXTS = NetworkConfig(
    "lstm", 2, 16, "abc", contexts=("2", "4", "word"), context_width=8, context_bits=16
)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_any_number_of_layers_steps_as_it_reads_a_sequence(kind: str, layers: int) -> None:
    torch.manual_seed(0)
    network = Network(NetworkConfig(kind, layers, 16, "abc"))
    ids = torch.tensor([[0, 1, 2, 1], [2, 2, 0, 1]])
    logits, _ = network(ids, network.initial(2))
    state = network.initial(2)
    for t in range(ids.shape[1]):
        step, state = network.step(ids[:, t], state)
        torch.testing.assert_close(logits[:, t], step)


def test_contexts_step_as_they_read_a_sequence_and_go_on_from_a_state() -> None:
    torch.manual_seed(0)
    network = with_contexts()
    ids = torch.tensor([[CONTEXTS.vocabulary().start, 1, 2, 1, 0], [2, 2, 0, 1, 1]])
    logits, _ = network(ids, network.initial(2))
    first, between = network(ids[:, :2], network.initial(2))
    second, _ = network(ids[:, 2:], between)
    torch.testing.assert_close(torch.cat((first, second), dim=1), logits)
    state = network.initial(2)
    for t in range(ids.shape[1]):
        step, state = network.step(ids[:, t], state)
        torch.testing.assert_close(logits[:, t], step)


def test_what_the_contexts_know_reaches_the_logits() -> None:
    network = with_contexts()
    assert network.contexts is not None
    ids = torch.tensor([[0, 1, 2]])
    with torch.no_grad():
        before, _ = network(ids, network.initial(1))
        network.contexts.rows.zero_()
        after, _ = network(ids, network.initial(1))
    assert not torch.equal(before, after)


def with_contexts() -> Network:
    """A network that keeps every row of its table."""
    network = Network(CONTEXTS)
    assert network.contexts is not None
    network.contexts.keep(pack_bits(np.arange(1 << 16), 16))
    network.contexts.rows[:-1].normal_()
    return network


@pytest.mark.parametrize("kind", CELLS)
def test_the_weights_are_those_that_a_checkpoint_of_this_shape_has(kind: str) -> None:
    config = NetworkConfig(kind, 2, 32, "abc")
    network = Network(config)
    shapes = {name: array.shape for name, array in network.weights().items()}
    assert shapes == expected_shapes(config)


def test_weights_go_into_another_network_of_the_same_shape() -> None:
    config = NetworkConfig("gru", 1, 16, "abc")
    first, second = Network(config), Network(config)
    second.load_weights(first.weights())
    ids = torch.tensor([[0, 1, 2]])
    torch.testing.assert_close(first(ids, first.initial(1)), second(ids, second.initial(1)))


def test_the_number_of_parameters_does_not_depend_on_the_number_of_steps() -> None:
    network = Network(NetworkConfig("elman", 1, 16, "helo", byte_fallback=False))
    ids = torch.zeros(1, 50, dtype=torch.long)
    before = [p.shape for p in network.parameters()]
    network(ids[:, :1], network.initial(1))
    network(ids, network.initial(1))
    assert [p.shape for p in network.parameters()] == before


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("cell", {"cell": "mlp"}),
        ("layers", {"layers": 0}),
        ("hidden", {"hidden": 40}),
        ("characters", {"characters": "", "byte_fallback": False}),
    ],
)
def test_a_shape_that_no_network_has_is_refused_by_name(field: str, change: dict[str, str]) -> None:
    shape = {"cell": "lstm", "layers": 1, "hidden": 32, "characters": "ab"}
    with pytest.raises(ValueError, match=f"^{field}: "):
        NetworkConfig(**(shape | change))  # type: ignore[arg-type]
