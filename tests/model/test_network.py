import pytest
import torch

from model.cells import CELLS
from model.checkpoint import expected_shapes
from model.config import NetworkConfig
from model.network import Network


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
