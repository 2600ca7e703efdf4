"""A kind of cell that does not exist, or is not computed somewhere, is refused there by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import peers
from model.checkpoint import CONFIG_FILE, Checkpoint, expected_shapes, load
from model.errors import CheckpointError
from model.network.cells import Cell, State
from model.network.config import CELL_KINDS, NetworkConfig
from model.network.network import Network
from model.runtime import native_library
from model.runtime.native_backend import NativeNetwork, NativePool
from model.runtime.numpy_backend import NumpyPool
from model.runtime.quantized import QuantizedNetwork, quantize_network
from model.runtime.reference import Reference
from model.served import Runtime
from tests.model.runtime.networks import random_checkpoint
from tests.tiny import save_tiny_checkpoint
from training.backpropagation.unrolled import unroll
from training.finishing.clipping import clipped
from training.gradients import plots
from training.gradients.experiment import (
    AtRadius,
    Experiment,
    ExperimentSettings,
    GradientFigures,
    Trained,
)
from training.gradients.measure import Flow
from training.reporting.card import model_card
from training.units.activations import read

IDS = np.arange(3, dtype=np.int64)
FLOW = Flow((1.0, 0.5), 0.0, (1.0, 1.0))
NEW = replace(CELL_KINDS["lstm"], name="mlp", title="MLP")
Choice = Callable[[Checkpoint, Path], object]
NONE_OF_THEM = "cell: 'mlp' is none "


def of_no_kind(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint with a kind of cell that no config lets through."""
    config = replace(checkpoint.config)
    object.__setattr__(config, "cell", "mlp")
    return replace(checkpoint, config=config)


def quantized(checkpoint: Checkpoint) -> QuantizedNetwork:
    """An LSTM's weights under the name of another kind."""
    return replace(quantize_network(random_checkpoint()), config=checkpoint.config)


def plot(checkpoint: Checkpoint, folder: Path) -> None:
    trained = Trained(checkpoint.config.cell, 1, 1.0, FLOW, FLOW)
    radii = (AtRadius(1, FLOW),)
    plots.write(GradientFigures("", 1, 1, ExperimentSettings(), radii, (trained,), ()), folder)


def compiled(backend: str) -> Choice:
    def start(checkpoint: Checkpoint, folder: Path) -> None:
        network = NativeNetwork(quantized(checkpoint), backend)
        NativePool(network, native_library.functions(backend), 1).start(0)

    return start


def peer(name: str) -> Choice:
    return lambda given, folder: peers.step(name, given, IDS)


# All code that does something different for each kind of cell.
CHOICES: dict[str, Choice] = {
    "network": lambda given, folder: Network(given.config),
    "numpy": lambda given, folder: NumpyPool(quantized(given), 1),
    "reference": lambda given, folder: Reference(quantized(given)),
    "experiment": lambda given, folder: Experiment("a b " * 600).trained(given.config.cell),
    "plots": plot,
    **{name: peer(name) for name in peers.available()},
    **{name: compiled(name) for name in native_library.compiled()},
}
# All code that asks a kind for its gates, its state or its name, and is the same for all kinds.
ASKING: dict[str, Choice] = {
    "config": lambda given, folder: NetworkConfig(given.config.cell, 1, 16, "ab"),
    "shapes": lambda given, folder: expected_shapes(given.config),
    "quantized network": lambda given, folder: quantize_network(given),
    "state": lambda given, folder: quantized(given).state_size,
    "runtime": lambda given, folder: Runtime(given),
    "clipping": lambda given, folder: clipped(given, [IDS.astype(np.int32)]),
    "units": lambda given, folder: read(given, ["ab"]),
    "card": lambda given, folder: model_card("new", given.config, {"vocabulary": 1}),
}


@pytest.mark.parametrize("place", CHOICES | ASKING)
def test_a_kind_that_does_not_exist_is_refused_by_name(place: str, tmp_path: Path) -> None:
    given = of_no_kind(random_checkpoint())
    with pytest.raises(ValueError, match=NONE_OF_THEM):
        (CHOICES | ASKING)[place](given, tmp_path)


@pytest.mark.parametrize("place", CHOICES)
def test_a_kind_that_is_only_listed_is_taken_for_no_other(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the weights and the state of an LSTM, so nothing but its name tells them apart."""
    monkeypatch.setitem(CELL_KINDS, "mlp", NEW)
    monkeypatch.setattr("model.runtime.native_backend.CELLS", tuple(CELL_KINDS))
    given = of_no_kind(random_checkpoint())
    with pytest.raises(ValueError, match=NONE_OF_THEM):
        CHOICES[place](given, tmp_path)


def test_a_checkpoint_of_a_kind_that_does_not_exist_is_refused_in_one_line(tmp_path: Path) -> None:
    file = save_tiny_checkpoint(tmp_path / "tiny") / CONFIG_FILE
    described = json.loads(file.read_text())
    described["network"]["cell"] = "mlp"
    file.write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"cell: 'mlp' is none of elman, gru, lstm"):
        load(file.parent)


class Counting(Cell):
    """A cell whose state counts its steps, whatever it reads."""

    kind = NEW

    def advance(self, projected: Tensor, state: State) -> State:
        h, c = state
        return h + 1, c - 1


class Stepless(Cell):
    """A cell that only has a kind."""

    kind = NEW


def test_training_steps_a_kind_that_is_not_written_out_as_the_cell_says() -> None:
    cell = Counting(16, 16)
    resets = torch.ones(5, 2, 1)
    resets[3, 1] = 0
    out, (h, c) = unroll(cell, torch.zeros(5, 2, 64), resets, cell.initial(2), torch.float32)
    assert out[:, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert out[:, 1, 0].tolist() == [1, 2, 3, 1, 2]
    assert (float(h[0, 0]), float(c[0, 0])) == (5, -5)


def test_training_refuses_a_kind_that_has_no_step() -> None:
    cell = Stepless(16, 16)
    with pytest.raises(NotImplementedError, match="cell: 'mlp' has no step"):
        unroll(cell, torch.zeros(1, 2, 64), torch.ones(1, 2, 1), cell.initial(2), torch.float32)


@pytest.mark.parametrize("cell", CELL_KINDS)
def test_a_kind_describes_the_cell_and_the_state_of_its_name(cell: str) -> None:
    kind = CELL_KINDS[cell]
    network = Network(NetworkConfig(cell, 2, 16, "ab"))
    for layer in network.layers():
        assert layer.kind is kind
        assert len(layer.initial(1)) == len(kind.state)
        biases = {name for name, _ in layer.named_parameters()} - set("UWb")
        assert biases == set(kind.biases)
    runtime = Runtime(random_checkpoint(cell, 2, 16))
    assert runtime.state_size == 2 * 16 * sum(kind.itemsize for _, kind in kind.state)


def test_the_first_array_of_a_state_is_h() -> None:
    assert {kind.state[0][0] for kind in CELL_KINDS.values()} == {"h"}
