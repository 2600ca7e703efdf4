"""Parameters come back from a checkpoint as they were, and damaged ones are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.adaptation import Adaptation, is_primed
from model.adaptation.parameters import PREFIX, Parameters, from_arrays, shapes
from model.checkpoint import Checkpoint, load, save
from model.errors import ModelError
from model.served import Runtime
from tests.model.adaptation.primed import UNITS, primed, random_parameters
from tests.tiny import save_tiny_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return load(save_tiny_checkpoint(tmp_path))


def test_they_come_back_from_a_checkpoint(checkpoint: Checkpoint, tmp_path: Path) -> None:
    parameters = random_parameters(1, 48, 32, checkpoint.config.hidden)
    with_them = primed(checkpoint, parameters)
    save(tmp_path, with_them.config, with_them.weights, {})
    back = load(tmp_path)
    assert back.fingerprint != checkpoint.fingerprint
    for name, array in vars(from_arrays(back.weights, back.config.hidden)).items():
        assert (array == getattr(parameters, name)).all()
        assert array.dtype == getattr(parameters, name).dtype


def test_a_runtime_adapts_where_the_checkpoint_is_primed(checkpoint: Checkpoint) -> None:
    with_them = primed(checkpoint)
    assert (is_primed(checkpoint), is_primed(with_them)) == (False, True)
    assert Runtime(checkpoint).adaptation is None
    assert Runtime(with_them).adaptation is not None
    assert Runtime(with_them, adapt=False).adaptation is None
    with pytest.raises(ModelError, match="not primed"):
        Runtime(checkpoint, adapt=True)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("view", lambda a: a[:, :-1], "view is int32"),
        ("view", lambda a: np.full_like(a, 32_767).repeat(9, 1), "view is int32"),
        ("first_own", lambda a: a[:, :-1], "first_own is int32"),
        ("first_own", lambda a: a.astype(np.float32), "first_own is float32"),
        ("first_own", lambda a: a + 40_000, "first_own holds values beyond 32767"),
        ("first_own", lambda a: np.full_like(a, -(2**31)), "first_own holds values beyond"),
        ("first_bias", lambda a: np.full_like(a, 2**31 - 1), "first: .* leave 32 bits"),
        ("second_mean", lambda a: np.full_like(a, 32_767), "second: .* leave 32 bits"),
        ("output", lambda a: np.full_like(a, 32_767), "output: .* leave 32 bits"),
        ("shifts", lambda a: a - 20, "shifts"),
        ("shifts", lambda a: a + 31, "shifts"),
        ("output_bias", None, "arrays missing or not expected: adaptation.output_bias"),
    ],
)
def test_damaged_ones_are_refused(
    checkpoint: Checkpoint, name: str, change: Any, says: str
) -> None:
    weights = primed(checkpoint).weights
    changed = {k: v for k, v in weights.items() if change or k != f"adaptation.{name}"}
    if change:
        changed[f"adaptation.{name}"] = change(weights[f"adaptation.{name}"])
    broken = Checkpoint("broken", checkpoint.config, changed, {}, "0" * 32)
    with pytest.raises(ModelError, match=says):
        Adaptation(broken)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [(31, 16, "first_bias: 31 units"), (0, 16, "first_bias: 0"), (16, 256, "second_bias: 256")],
)
def test_layers_that_the_backends_do_not_hold_are_refused(
    first: int, second: int, says: str
) -> None:
    arrays = {
        PREFIX + name: np.zeros(shape, np.int32)
        for name, (shape, _) in shapes(UNITS, first, second).items()
    }
    with pytest.raises(ModelError, match=says):
        from_arrays(arrays, UNITS)


def test_an_array_that_is_not_known_is_refused(checkpoint: Checkpoint) -> None:
    weights = {**primed(checkpoint).weights, "adaptation.more": np.zeros(1, np.int32)}
    with pytest.raises(ModelError, match=r"not expected: adaptation\.more"):
        Adaptation(Checkpoint("odd", checkpoint.config, weights, {}, "0" * 32))


def test_neutral_ones_are_whole() -> None:
    assert (
        vars(from_arrays(Parameters.neutral(9).to_arrays(), 9)).keys()
        == vars(Parameters.neutral(9)).keys()
    )
