"""A run of training: all that it is made of, written to a file so that it can go on later."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize
from torch import Tensor

from model.checkpoint import Checkpoint, replace
from model.network.cells import State
from model.network.config import NetworkConfig
from model.network.contexts import pack_bits
from model.network.embedding import ContextEmbedding
from model.network.network import Network
from training.contexts.hashing import TensorContexts
from training.contexts.tables import RowAdagrad, choose_rows, count_rows
from training.loop.history import History, Measurement
from training.loop.streams import Window, windows
from training.presets import Preset

CPU = torch.device("cpu")
TABLES_BEGIN = 2 * 64 * 64
"""A reading's first characters, in which the tables' rate rises: of empty tables the rows that a
large window reads most often would else be thrown far."""


class ResumeError(Exception):
    """A saved run that cannot go on here; one line for a person."""


def check_place(file: Path) -> None:
    """Raises ResumeError before minutes of training, not after them, where none can be saved."""
    if file.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        raise ResumeError(
            f"{file}: a run cannot be saved there; name a file in a folder that can be written"
        )


class Run:
    """The network, its optimisers, and how far through the text they are."""

    def __init__(
        self,
        config: NetworkConfig,
        preset: Preset,
        documents: Sequence[NDArray[np.int32]],
        seed: int,
        late: NDArray[np.bool_] | None = None,
        device: torch.device = CPU,
        base: Checkpoint | None = None,
    ) -> None:
        """With a `base`, of the same shape, its network learns on, and its tables anew."""
        torch.manual_seed(seed)
        self.preset = preset
        self.base = base
        self.documents = documents
        self.late = late
        self.device = device
        self.network = Network(config).to(device)
        self.table: RowAdagrad | None = None
        if self.network.contexts is not None:
            rows = choose_rows(count_rows(documents, config), preset.context_rows)
            kept = pack_bits(rows, config.context_bits)
            self.table = self._new_table(self.network.contexts, kept)
        if base is not None:
            self.network.load_dense(base.weights)
        for cell in self.network.layers():
            cell.requires_grad_(not preset.frozen)
        self.learning = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.learning,
            betas=(0.9, 0.99),
            weight_decay=preset.weight_decay,
            capturable=device.type == "cuda",
        )
        total = sum(len(d) for d in documents)
        self.streams = max(1, min(preset.streams, total // (2 * preset.window)))
        self.epoch = (total + total / preset.restart) / (self.streams * preset.window)
        """About how many steps one reading of the text takes."""
        self.history = History()
        self.step = self.characters = 0
        self.seconds = 0.0
        self.state = self.network.initial(self.streams)
        self._rng = np.random.default_rng(seed)
        self._epoch_rng: dict[str, Any] | None = None
        self._windows_read = 0
        self._first: int | None = None
        self.readings: int | None = None
        """How many times the text is begun; None before `plan`."""

    def plan(self, readings: float) -> None:
        """Lays out a run that has time to read the text so many times, a fraction too.

        The tables are empty where a reading begins, so that the last must be a whole one: what is
        left over is read first.
        """
        whole = max(1, math.floor(readings))
        part = (readings - whole) * self.epoch
        if part > 0.05 * self.epoch and self.history.epochs <= 1 and not self.completed:
            self._first = max(self._windows_read, round(part))
        self.readings = whole + (self._first is not None)

    @property
    def completed(self) -> int:
        """How many readings of the text are over."""
        return self.history.epochs - (self._epoch_rng is not None)

    def windows(self) -> Iterator[Window]:
        """What is left of the epoch that was begun, else a new one.

        A new one begins with empty tables: a row must not hold the very text being trained on, or
        the network learns to trust it as it never can again.
        """
        if self._epoch_rng is None:
            self._epoch_rng = dict(self._rng.bit_generator.state)
            self.carry(self.network.initial(self.streams))
            self.history.epochs += 1
            if self.table is not None and self.history.epochs > 1:
                self.table.forget()
        # The order of the text is drawn anew, the same.
        self._rng.bit_generator.state = self._epoch_rng
        vocabulary = self.network.config.vocabulary()
        every = windows(
            self.documents,
            vocabulary.start,
            self.streams,
            self.preset.window,
            self.preset.restart,
            self._rng,
            self.late,
            int(vocabulary.encode("\n")[0]),
            self.preset.late,
        )
        for window in islice(every, self._windows_read, None):
            if self.history.epochs == 1 and self._windows_read == self._first:
                break
            self._windows_read += 1
            yield window
        self._epoch_rng, self._windows_read = None, 0

    def carry(self, state: list[State]) -> None:
        """Goes on from a state, without the graph that made it: the gradient ends at a window."""
        for layer, after in zip(self.state, state, strict=True):
            for part, new in zip(layer, after, strict=True):
                part.copy_(new.detach())

    @property
    def tables_learn(self) -> bool:
        """Whether the tables take part: in the last readings, as the preset says."""
        last = self.preset.table_readings
        known = self.readings is not None and self.history.epochs > self.readings - last
        return self.table is not None and (last == 0 or known)

    @property
    def table_rate(self) -> float:
        """The rate at which the tables learn from the next window."""
        read = (self._windows_read + 1) * self.streams * self.preset.window
        return self.preset.table_rate * min(1.0, read / TABLES_BEGIN)

    def update(self, rate: float | Tensor, table_rate: float | Tensor) -> Tensor:
        """One step of the optimisers along the gradients; returns their norm before clipping."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.preset.clip)
        self.optimizer.step()
        if self.table is not None and self.tables_learn:
            self.table.step(table_rate)
        return norm

    def save(self, file: Path) -> None:
        """Writes the run whole; a reader finds the earlier one or this one."""
        arrays = {
            name: np.asarray(tensor.detach().cpu().numpy(), order="C")
            for name, tensor in self._tensors().items()
        }
        if self.network.contexts is not None:
            arrays["contexts.kept"] = self.network.contexts.kept.kept
        replace(file, serialize(arrays, {"run": json.dumps(self._described())}))

    def load(self, file: Path) -> None:
        """Goes on from a saved run; raises ResumeError for another's."""
        try:
            with safe_open(file, framework="pt") as stored:
                described = json.loads((stored.metadata() or {})["run"])
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise ResumeError(f"{file}: no saved run: {error}") from None
        own = self._described()
        # A preset says by default what it could not say when the run was saved.
        described["preset"] = Preset(**described["preset"]).to_json()
        for name in ("network", "preset", "documents", "base"):
            if described.get(name) != own[name]:
                raise ResumeError(
                    f"{file}: saved by a run with another {name}; give the same texts and options, "
                    "or another file"
                )
        if self.network.contexts is not None:
            kept = arrays.pop("contexts.kept").numpy()
            self.table = self._new_table(self.network.contexts, kept)
            self.table.typical.fill_(described["typical"])
        if described["step"]:
            # The optimiser has no moments before its first step.
            for parameter in self.learning:
                parameter.grad = torch.zeros_like(parameter)
            self.optimizer.step()
        self.state = [tuple(part.clone() for part in layer) for layer in self.state]
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(arrays[name])
        self.step, self.characters = described["step"], described["characters"]
        self.seconds = described["seconds"]
        self.history = History(**described["history"])
        self.history.measurements = [Measurement(**m) for m in described["measurements"]]
        self._rng.bit_generator.state = described["rng"]
        self._epoch_rng = described["rng"] if described["within"] else None
        self._windows_read = described["windows"]
        self.readings, self._first = described["readings"], described["first"]

    def _new_table(self, contexts: ContextEmbedding, kept: NDArray[np.uint8]) -> RowAdagrad:
        """Keeps these rows (a bitmap), all zeros, and puts them where the network is."""
        contexts.keep(kept)
        contexts.to(self.device)
        if self.device.type == "cuda":
            contexts.find = TensorContexts(contexts).slots
        return RowAdagrad(contexts)

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.network.named_parameters():
            tensors[f"network.{name}"] = parameter
            for part, moment in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{part}"] = moment
        if self.table is not None and self.network.contexts is not None:
            tensors["contexts.rows"] = self.network.contexts.rows
            tensors["contexts.sums"] = self.table.sums
            tensors["contexts.uses"] = self.table.uses
        for index, layer in enumerate(self.state):
            for part, tensor in enumerate(layer):
                tensors[f"state.{index}.{part}"] = tensor
        return tensors

    def _described(self) -> dict[str, Any]:
        history = {n: v for n, v in vars(self.history).items() if n != "measurements"}
        return {
            "network": self.network.config.to_json(),
            "preset": self.preset.to_json(),
            "base": self.base.fingerprint if self.base else None,
            "documents": [len(self.documents), sum(len(d) for d in self.documents)],
            "step": self.step,
            "characters": self.characters,
            "seconds": self.seconds,
            "typical": 0.0 if self.table is None else float(self.table.typical),
            "history": history,
            "measurements": [asdict(m) for m in self.history.measurements],
            "rng": self._epoch_rng or self._rng.bit_generator.state,
            "windows": self._windows_read,
            "within": self._epoch_rng is not None,
            "readings": self.readings,
            "first": self._first,
        }
