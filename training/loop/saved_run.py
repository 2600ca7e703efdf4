"""The file of a saved run: safetensors for its tensors, and JSON metadata for the rest.

It does not say whether an attempt at the run was interrupted or stopped early, because the next
attempt may end in another way.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize
from torch import Tensor

from model.checkpoint import replace
from training.errors import ResumeError
from training.loop.history import History, Measurement
from training.loop.run import Run
from training.presets import Preset


def check_place(file: Path) -> None:
    """Raises ResumeError where no run can be saved; called before the training, not after it."""
    if file.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        raise ResumeError(
            f"{file}: a run cannot be saved there; name a file in a folder that can be written"
        )


def save(run: Run, file: Path) -> None:
    """Writes the run. The file is replaced at once: a reader finds the earlier run or this one."""
    arrays = {
        name: np.asarray(tensor.detach().cpu().numpy(), order="C")
        for name, tensor in _tensors(run).items()
    }
    if run.network.contexts is not None:
        arrays["contexts.kept"] = run.network.contexts.kept.kept
    replace(file, serialize(arrays, {"run": json.dumps(_identity(run) | _progress(run))}))


def load(run: Run, file: Path) -> None:
    """Puts a saved run's place into a new run, which then goes on from it.

    Raises ResumeError where the file holds no run, or a run with other texts or settings.
    """
    try:
        with safe_open(file, framework="pt") as stored:
            described = json.loads((stored.metadata() or {})["run"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ResumeError(f"{file}: no saved run: {error}") from None
    # A setting that did not exist when the run was saved gets its default.
    described["preset"] = Preset(**described["preset"]).to_json()
    for name, value in _identity(run).items():
        if described.get(name) != value:
            raise ResumeError(
                f"{file}: saved by a run with another {name}; give the same texts and options, "
                "or another file"
            )
    if run.network.contexts is not None:
        run.optimizers.keep_rows(arrays.pop("contexts.kept").numpy())
    if run.optimizers.tables is not None:
        run.optimizers.tables.typical.fill_(described["typical"])
    if described["step"]:
        run.optimizers.make_moments()
    with torch.no_grad():
        for name, tensor in _tensors(run).items():
            tensor.copy_(arrays[name])
    history = described["history"]
    run.step, run.characters = described["step"], described["characters"]
    run.seconds = described["seconds"]
    run.history = History(
        [Measurement(**measurement) for measurement in described["measurements"]],
        recent_bits=history["recent_bits"],
        recent_norm=history["recent_norm"],
    )
    run.reading.go_on(history["epochs"], described)


def _tensors(run: Run) -> dict[str, Tensor]:
    """Every tensor that the run computes with, by its name in the file."""
    tensors: dict[str, Tensor] = {}
    contexts, tables = run.network.contexts, run.optimizers.tables
    for name, parameter in run.network.named_parameters():
        tensors[f"network.{name}"] = parameter
        for part, moment in run.optimizers.adam.state.get(parameter, {}).items():
            tensors[f"adam.{name}.{part}"] = moment
    if tables is not None and contexts is not None:
        tensors["contexts.rows"] = contexts.rows
        tensors["contexts.sums"] = tables.sums
        tensors["contexts.uses"] = tables.uses
    for index, layer in enumerate(run.state):
        for part, tensor in enumerate(layer):
            tensors[f"state.{index}.{part}"] = tensor
    return tensors


def _identity(run: Run) -> dict[str, Any]:
    """What must be the same in a saved run and in the run that goes on from it."""
    return {
        "network": run.network.config.to_json(),
        "preset": run.preset.to_json(),
        "base": run.base.fingerprint if run.base else None,
        "documents": [len(run.documents.ids), run.documents.total],
    }


def _progress(run: Run) -> dict[str, Any]:
    """The place that the run has reached, and its history."""
    tables, history = run.optimizers.tables, run.history
    return {
        "step": run.step,
        "characters": run.characters,
        "seconds": run.seconds,
        "typical": 0.0 if tables is None else float(tables.typical),
        "history": {
            "epochs": run.reading.epochs,
            "recent_bits": history.recent_bits,
            "recent_norm": history.recent_norm,
        },
        "measurements": [asdict(measurement) for measurement in history.measurements],
        **run.reading.to_json(),
    }
