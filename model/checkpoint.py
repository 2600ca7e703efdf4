"""A checkpoint: a folder of `model.safetensors`, `config.json` and a model card, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from model.errors import CheckpointError, readable
from model.network.config import NetworkConfig, Weights
from model.network.contexts import LEVELS, are_levels
from model.vocabulary import Vocabulary

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"

# A checkpoint may hold further arrays, whose names begin with one of these. The module that reads
# such arrays checks them.
OPTIONAL = ("adaptation.", "calibration.")
# The types of arrays that a checkpoint may hold.
KEPT_TYPES = frozenset(np.dtype(k) for k in (np.float32, np.int8, np.uint8, np.int16, np.int32))
# The types that are read. F64 is among them so that an array of that type is refused by its name.
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
}
# Arrays of this many bytes or more are mapped into memory, so that processes share them.
MAPPED_FROM_BYTES = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A trained network as it is stored: its config, its weights, a summary of its training."""

    name: str
    config: NetworkConfig
    weights: Weights
    training: Mapping[str, Any]
    fingerprint: str

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self.config.vocabulary()


def expected_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """The name and shape of each float32 array that a network of this shape has."""
    hidden, size = config.hidden, config.vocabulary().size
    rows = config.kind.gates * hidden
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(config.layers):
        inputs = size + 1 if layer == 0 else hidden
        shapes[f"cells.{layer}.U"] = (rows, inputs)
        shapes[f"cells.{layer}.W"] = (rows, hidden)
        shapes[f"cells.{layer}.b"] = (rows,)
        for name in config.kind.biases:
            shapes[f"cells.{layer}.{name}"] = (hidden,)
    shapes["output.weight"] = (size, config.output_inputs)
    shapes["output.bias"] = (size,)
    return shapes


def fingerprint(config: NetworkConfig, weights: Weights) -> str:
    """32 hexadecimal digits that identify a network: BLAKE2b of its shape and its weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(config.to_json(), sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name]).data)
    return digest.hexdigest()


def save(
    folder: Path,
    config: NetworkConfig,
    weights: Weights,
    training: Mapping[str, Any],
    card: str | None = None,
) -> None:
    """Writes a checkpoint. A process that reads the folder meanwhile finds the old or new network.

    The weights file holds the whole network, also its config and fingerprint, and one rename
    replaces it. config.json repeats the config for people, and adds the summary of the training.
    While the two files describe different networks, `load` refuses them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(w, dtype=_kind(w)) for name, w in weights.items()}
    metadata = {
        "network": json.dumps(config.to_json(), sort_keys=True),
        "fingerprint": fingerprint(config, arrays),
    }
    described = {"format": 1, "network": config.to_json(), "training": dict(training)}
    replace(folder / WEIGHTS_FILE, serialize(arrays, metadata))
    replace(folder / CONFIG_FILE, json.dumps(described, indent=1, ensure_ascii=False).encode())
    if card is not None:
        replace(folder / CARD_FILE, card.encode())


def _kind(array: NDArray[Any]) -> np.dtype[Any]:
    return array.dtype if array.dtype in KEPT_TYPES else np.dtype(np.float32)


def replace(file: Path, content: bytes) -> None:
    """Writes a file whole or not at all: under a temporary name beside it, which is then renamed.

    A link is followed to its file. A pipe or a device is written to directly.
    """
    file = file.resolve()
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:
            stream.write(content)
        return
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint: both of the files that describe a network."""
    return (folder / WEIGHTS_FILE).is_file() and (folder / CONFIG_FILE).is_file()


def load(folder: Path | str) -> Checkpoint:
    """Reads a checkpoint and checks all of it; raises CheckpointError, naming the file."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such checkpoint folder")
    described = _read_config(folder / CONFIG_FILE)
    weights, metadata = _read_weights(folder / WEIGHTS_FILE)
    config = _network_config(folder / CONFIG_FILE, described)
    if metadata.get("network") != json.dumps(config.to_json(), sort_keys=True):
        raise CheckpointError(
            f"{folder}: {CONFIG_FILE} and {WEIGHTS_FILE} describe different networks; "
            "take both from one checkpoint"
        )
    _check_weights(folder / WEIGHTS_FILE, config, weights)
    found = fingerprint(config, weights)
    if metadata.get("fingerprint") != found:
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE}: damaged: its content does not match its fingerprint"
        )
    name = readable(folder.resolve().name)
    return Checkpoint(name, config, weights, described.get("training", {}), found)


def _read_config(file: Path) -> dict[str, Any]:
    try:
        described = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise CheckpointError(f"{file}: damaged: {error}") from None
    if not isinstance(described, dict) or described.get("format") != 1:
        raise CheckpointError(f"{file}: not a nextchar checkpoint of format 1")
    return described


def _network_config(file: Path, described: dict[str, Any]) -> NetworkConfig:
    try:
        return NetworkConfig(**described["network"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: network: {error}") from None


def _read_weights(file: Path) -> tuple[Weights, dict[str, str]]:
    if not file.is_file():
        raise CheckpointError(f"{file}: no such file")
    try:
        with safe_open(file, framework="numpy"):
            pass  # A file that opens here has a header that fits its content.
        return _arrays(file)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{file}: damaged: {error}") from None


def _arrays(file: Path) -> tuple[Weights, dict[str, str]]:
    """The arrays of a safetensors file, large ones mapped and others read, and its metadata."""
    weights: Weights = {}
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
        metadata: dict[str, str] = header.pop("__metadata__", None) or {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            kind: np.dtype[Any] = _DTYPES[entry["dtype"]]
            shape: tuple[int, ...] = tuple(entry["shape"])
            offset = 8 + length + begin
            if end - begin >= MAPPED_FROM_BYTES:
                mapped: NDArray[Any] = np.memmap(stream, kind, "r", offset, shape)
                weights[name] = mapped.view(np.ndarray)
            else:
                stream.seek(offset)
                weights[name] = np.frombuffer(stream.read(end - begin), kind).reshape(shape)
    return weights, metadata


def _check_weights(file: Path, config: NetworkConfig, weights: Weights) -> None:
    expected: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        name: (np.dtype(np.float32), shape) for name, shape in expected_shapes(config).items()
    }
    if config.contexts:
        kept = weights.get("contexts.kept", np.zeros(0, np.uint8))
        if weights.get("contexts.rows", kept).dtype == np.int8:
            raise CheckpointError(f"{file}: an earlier version made its table; train it anew")
        whole = kept.dtype == np.uint8
        count = int(np.bitwise_count(kept).sum(dtype=np.int64)) if whole else 0
        expected["contexts.kept"] = (np.dtype(np.uint8), ((1 << config.context_bits) // 8,))
        expected["contexts.levels"] = (np.dtype(np.int8), (LEVELS,))
        expected["contexts.rows"] = (np.dtype(np.uint8), (count, config.context_width // 2))
    network = {name for name in weights if not name.startswith(OPTIONAL)}
    if network != set(expected):
        odd = ", ".join(sorted(network ^ set(expected)))
        raise CheckpointError(f"{file}: arrays missing or not expected: {odd}")
    for name, (kind, shape) in expected.items():
        array = weights[name]
        if array.shape != shape or array.dtype != kind:
            raise CheckpointError(
                f"{file}: {name} is {array.dtype}{list(array.shape)}, not {kind}{list(shape)}"
            )
    if config.contexts and not are_levels(weights["contexts.levels"]):
        raise CheckpointError(f"{file}: contexts.levels are not what a table has")
    for name, array in weights.items():
        if array.dtype not in KEPT_TYPES:
            raise CheckpointError(f"{file}: {name} is {array.dtype}, which no checkpoint holds")
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise CheckpointError(f"{file}: {name} holds values that are not finite")
