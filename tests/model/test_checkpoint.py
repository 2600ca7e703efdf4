import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from model import checkpoint
from model.errors import CheckpointError
from model.network.config import NetworkConfig, Weights
from model.network.contexts import pack_bits
from tests.tiny import LEVELS, save_tiny_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_checkpoint(tmp_path / "tiny")


def test_what_is_saved_is_loaded(folder: Path) -> None:
    loaded = checkpoint.load(folder)
    assert loaded.name == "tiny"
    assert loaded.config.cell == "lstm"
    assert loaded.training["data"] == "random weights, for tests"
    assert loaded.vocabulary.size == loaded.weights["output.bias"].shape[0]
    again = folder.parent / "again"
    checkpoint.save(again, loaded.config, loaded.weights, loaded.training)
    assert checkpoint.load(again).fingerprint == loaded.fingerprint


def test_the_fingerprint_changes_with_a_weight_and_with_the_shape(folder: Path) -> None:
    loaded = checkpoint.load(folder)
    weights = {name: w.copy() for name, w in loaded.weights.items()}
    weights["output.bias"][0] = np.nextafter(weights["output.bias"][0], np.float32(9))
    assert checkpoint.fingerprint(loaded.config, weights) != loaded.fingerprint
    other = NetworkConfig(**(loaded.config.to_json() | {"byte_fallback": False}))
    assert checkpoint.fingerprint(other, loaded.weights) != loaded.fingerprint


def test_saving_over_a_checkpoint_leaves_no_other_file(folder: Path) -> None:
    loaded = checkpoint.load(folder)
    checkpoint.save(folder, loaded.config, loaded.weights, {}, card="# tiny\n")
    assert sorted(f.name for f in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere: no such checkpoint folder"):
        checkpoint.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json"):
        checkpoint.load(tmp_path / "empty")


@pytest.mark.parametrize("kept", [0, 7, 500, 20_000])
def test_a_truncated_weights_file_is_refused(folder: Path, kept: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged"):
        checkpoint.load(folder)


def test_a_flipped_bit_is_noticed(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="does not match its fingerprint"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "not a nextchar checkpoint"),
        ('{"format": 2}', "not a nextchar checkpoint of format 1"),
        ('{"format": 1}', "network"),
        ('{"format": 1, "network": {"cell": "mlp"}}', "network"),
    ],
)
def test_a_damaged_config_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


def test_a_config_of_another_network_is_refused(folder: Path) -> None:
    described = json.loads((folder / "config.json").read_text())
    described["network"]["hidden"] = 64
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="describe different networks"):
        checkpoint.load(folder)


@pytest.mark.parametrize("fault", ["missing", "shape", "kind", "infinite"])
def test_arrays_that_do_not_fit_the_network_are_refused(folder: Path, fault: str) -> None:
    loaded = checkpoint.load(folder)
    file = folder / "model.safetensors"
    arrays = load_file(file)
    if fault == "missing":
        del arrays["output.bias"]
    elif fault == "shape":
        arrays["output.bias"] = arrays["output.bias"][:-1].copy()
    elif fault == "kind":
        arrays["output.bias"] = arrays["output.bias"].astype(np.float64)
    else:
        arrays["output.bias"][3] = np.inf
    network = json.dumps(loaded.config.to_json(), sort_keys=True)
    save_file(arrays, file, {"network": network})
    with pytest.raises(CheckpointError, match=r"output\.bias"):
        checkpoint.load(folder)


def test_a_file_that_cannot_be_replaced_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        checkpoint.replace(target, b"content")
    assert [f.name for f in tmp_path.iterdir()] == ["folder"]


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    checkpoint.replace(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    checkpoint.replace(tmp_path / "pipe", b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


CONTEXTS = NetworkConfig(
    "lstm", 1, 16, "abc", contexts=("2", "word"), context_width=64, context_bits=16
)


def weights_with_contexts() -> Weights:
    rng = np.random.default_rng(0)
    weights: Weights = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in checkpoint.expected_shapes(CONTEXTS).items()
    }
    weights["contexts.kept"] = pack_bits(np.arange(0, 60_000), 16)
    weights["contexts.rows"] = rng.integers(0, 256, (60_000, 32), np.uint8)
    weights["contexts.levels"] = LEVELS
    return weights


def test_a_table_of_contexts_is_kept_and_mapped_into_memory(tmp_path: Path) -> None:
    weights = weights_with_contexts()
    weights["adaptation.mix"] = np.arange(6, dtype=np.int32).reshape(2, 3)
    checkpoint.save(tmp_path / "with", CONTEXTS, weights, {})
    loaded = checkpoint.load(tmp_path / "with")
    assert loaded.config == CONTEXTS
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)
        assert loaded.weights[name].dtype == array.dtype
    assert isinstance(loaded.weights["contexts.rows"].base, np.memmap)
    changed = weights | {"adaptation.mix": weights["adaptation.mix"] + 1}
    assert checkpoint.fingerprint(CONTEXTS, changed) != loaded.fingerprint


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("contexts.rows", np.zeros((59_999, 32), np.uint8)),
        ("contexts.rows", np.zeros((60_000, 32), np.float32)),
        ("contexts.rows", np.zeros((60_000, 64), np.uint8)),
        ("contexts.levels", np.arange(-128, 112, 15).astype(np.int8)),
        ("contexts.levels", np.arange(-119, 121, 15).astype(np.int8)),
        ("contexts.levels", np.zeros(15, np.int8)),
        ("contexts.kept", np.zeros(8193, np.uint8)),
        ("output.weight", np.zeros((3, 16), np.float32)),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    name: str, array: NDArray[Any], tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "odd", CONTEXTS, weights_with_contexts() | {name: array}, {})
    with pytest.raises(CheckpointError, match=r"contexts|output\.weight"):
        checkpoint.load(tmp_path / "odd")


def test_a_table_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = {"contexts.rows": np.zeros((60_000, 64), np.int8)}
    checkpoint.save(tmp_path / "odd", CONTEXTS, weights_with_contexts() | rows, {})
    with pytest.raises(CheckpointError, match="earlier version made its table; train it anew"):
        checkpoint.load(tmp_path / "odd")


def test_a_checkpoint_without_its_table_is_refused(tmp_path: Path) -> None:
    weights = weights_with_contexts()
    del weights["contexts.rows"]
    checkpoint.save(tmp_path / "odd", CONTEXTS, weights, {})
    with pytest.raises(CheckpointError, match=r"not expected: contexts\.rows"):
        checkpoint.load(tmp_path / "odd")
