"""The experiments of the report: radii, kinds of cell and clipping, on one text and one budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional

from model.network.cells import Elman
from model.network.config import CELL_KINDS, NetworkConfig, for_cell
from model.network.network import Network
from model.vocabulary import Vocabulary
from training.backpropagation.unrolled import forward
from training.corpus import Document
from training.evaluation.validation import Validation
from training.gradients.measure import Flow, measure, set_spectral_radius
from training.loop.streams import IGNORED, EncodedDocuments, StreamLayout, Window, windows

# This share of the text, at its end, is not trained on. Gradients are measured there.
HELD_OUT = 0.1
# The kinds of cell that are compared, each with a learning rate that suits it.
LEARNING_RATES = {"elman": 2e-3, "gru": 5e-3, "lstm": 5e-3}
# The final loss of a training is the mean over this many steps at its end.
LAST_STEPS = 50


@dataclass(frozen=True)
class ExperimentSettings:
    """The sizes and settings of the experiments.

    `radii` are the spectral radii that W is set to. `quiet` is the standard deviation of U in these
    networks, so small that the inputs alone do not saturate the units. `distance` is the longest
    distance in time that is measured. `passages` is the number of measured passages of held-out
    text. The settings that begin with `clipping` are those of the trainings by plain gradient
    descent.
    """

    hidden: int = 64
    distance: int = 100
    passages: int = 32
    radii: tuple[float, ...] = (0.5, 0.8, 1.0, 1.5, 2.0)
    quiet: float = 0.1
    steps: int = 1000
    streams: int = 16
    window: int = 64
    clip: float = 1.0
    clipping_radius: float = 2.0
    clipping_steps: int = 300
    clipping_rate: float = 0.5
    seed: int = 1


@dataclass(frozen=True)
class AtRadius:
    """An untrained Elman cell, whose W is scaled to a spectral radius."""

    radius: float
    flow: Flow


@dataclass(frozen=True)
class Trained:
    """One kind of cell before and after training; the bits are those on held-out text."""

    cell: str
    parameters: int
    bits_per_character: float
    before: Flow
    after: Flow

    @property
    def title(self) -> str:
        """The kind's name in running text."""
        return for_cell(CELL_KINDS, self.cell).title


@dataclass(frozen=True)
class Training:
    """Plain gradient descent from a radius above 1: the loss and the gradient of each step.

    `clip` is the norm that gradients were clipped to, or None. `bits` and `norms` have an entry for
    each step; `norms` are those before clipping. A training has `diverged` if it ended at a
    gradient whose norm is infinite or not a number.
    """

    clip: float | None
    diverged: bool
    bits: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def final_bits(self) -> float:
        """The mean over the last steps."""
        return float(np.mean(self.bits[-LAST_STEPS:]))


@dataclass(frozen=True)
class GradientFigures:
    """All figures of the report."""

    text: str
    characters: int
    vocabulary: int
    settings: ExperimentSettings
    radii: tuple[AtRadius, ...]
    cells: tuple[Trained, ...]
    clipping: tuple[Training, ...]

    def to_json(self) -> Any:
        """The figures as JSON objects and lists."""
        return FIGURES.dump_python(self, mode="json")


# Reads figures that were written as JSON; raises ValueError for other content.
FIGURES: TypeAdapter[GradientFigures] = TypeAdapter(GradientFigures)

Progress = Callable[[int], None]


class Experiment:
    """One text, its vocabulary, and the passages of it that every network is measured on."""

    def __init__(self, text: str, settings: ExperimentSettings | None = None) -> None:
        """Raises ValueError for a text that is too short to measure on."""
        self.settings = settings or ExperimentSettings()
        self.vocabulary = Vocabulary("".join(sorted(set(text))), byte_fallback=False)
        ids = self.vocabulary.encode(text)
        self.characters = len(ids)
        split = int(len(ids) * (1 - HELD_OUT))
        distance = self.settings.distance
        shortest = round(2 * distance / HELD_OUT)
        if len(ids) < shortest:
            raise ValueError(f"the text has {len(ids)} characters; at least {shortest} are needed")
        self.learnt: NDArray[np.int32] = ids[:split]
        random = np.random.default_rng(self.settings.seed)
        begins = random.integers(split, len(ids) - distance - 1, self.settings.passages)
        passages = np.stack([ids[begin : begin + distance + 2] for begin in begins])
        self.passages: Tensor = torch.from_numpy(passages).long()
        held_out = Document(Path("held-out"), "held-out", text[split:])
        self._validation = Validation([held_out], self.vocabulary, characters=8000)

    @property
    def work(self) -> int:
        """The number of training steps that `run` takes and reports as progress."""
        return self.settings.steps * len(LEARNING_RATES) + self.settings.clipping_steps * 2

    def run(self, name: str, progress: Progress = lambda steps: None) -> GradientFigures:
        """Runs all experiments; `name` says what the text is."""
        settings = self.settings
        return GradientFigures(
            text=name,
            characters=self.characters,
            vocabulary=self.vocabulary.size,
            settings=settings,
            radii=tuple(self.at_radius(radius) for radius in settings.radii),
            cells=tuple(self.trained(cell, progress) for cell in LEARNING_RATES),
            clipping=tuple(self.clipped(clip, progress) for clip in (None, settings.clip)),
        )

    def at_radius(self, radius: float) -> AtRadius:
        """Measures an untrained Elman network of this spectral radius, with inputs scaled down."""
        return AtRadius(radius, measure(self._at_radius(radius), self.passages))

    def trained(self, cell: str, progress: Progress = lambda steps: None) -> Trained:
        """Trains and measures one kind of cell: AdamW at a constant rate, gradients clipped."""
        network = self._network(cell)
        before = measure(network, self.passages)
        optimizer = torch.optim.AdamW(network.parameters(), for_cell(LEARNING_RATES, cell))
        steps = self.settings.steps
        self._descend(network, optimizer, self.settings.clip, steps, progress)
        return Trained(
            cell=cell,
            parameters=sum(p.numel() for p in network.parameters()),
            bits_per_character=self._validation.bits_per_character(network),
            before=before,
            after=measure(network, self.passages),
        )

    def clipped(self, clip: float | None, progress: Progress = lambda steps: None) -> Training:
        """Trains by plain gradient descent, in which an exploding gradient is an exploding step."""
        network = self._at_radius(self.settings.clipping_radius)
        optimizer = torch.optim.SGD(network.parameters(), self.settings.clipping_rate)
        return self._descend(network, optimizer, clip, self.settings.clipping_steps, progress)

    def _network(self, cell: str) -> Network:
        torch.manual_seed(self.settings.seed)
        characters = self.vocabulary.characters
        return Network(NetworkConfig(cell, 1, self.settings.hidden, characters, False))

    def _at_radius(self, radius: float) -> Network:
        network = self._network("elman")
        (layer,) = network.layers()
        assert isinstance(layer, Elman)
        set_spectral_radius(layer, radius)
        with torch.no_grad():
            layer.U.mul_(self.settings.quiet)
        return network

    def _descend(
        self,
        network: Network,
        optimizer: torch.optim.Optimizer,
        clip: float | None,
        steps: int,
        progress: Progress,
    ) -> Training:
        bits: list[float] = []
        norms: list[float] = []
        diverged = False
        state = network.initial(self.settings.streams)
        for window in islice(self._windows(), steps):
            logits, state = forward(network, window.ids, state, torch.float32)
            loss = functional.cross_entropy(
                logits.flatten(0, 1), window.targets.flatten(), ignore_index=IGNORED
            )
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                network.parameters(), math.inf if clip is None else clip
            )
            diverged = not math.isfinite(norm)
            if diverged:
                break
            optimizer.step()
            state = [tuple(part.detach() for part in layer) for layer in state]
            bits.append(loss.item() / math.log(2))
            norms.append(norm.item())
            progress(1)
        return Training(clip, diverged, tuple(bits), tuple(norms))

    def _windows(self) -> Iterator[Window]:
        """The windows of epoch after epoch, without end; the same ones for every network."""
        random = np.random.default_rng(self.settings.seed)
        settings, documents = self.settings, EncodedDocuments([self.learnt])
        layout = StreamLayout(
            self.vocabulary.start, settings.streams, settings.window, restart=documents.total
        )
        while True:
            yield from windows(documents, layout, random)
