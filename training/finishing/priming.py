"""Priming: trains the small network that scores what a page finds, for one checkpoint.

It reads documents, never validation text, each on a page of its own. From them it learns how much
more probable a candidate is than the network alone says. A training primes at its end, on the text
that it has read. Text that is new to the network is better: there the network is as unsure as it
will be of a user's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import checkpoint
from model.adaptation.parameters import PREFIX, Parameters
from model.checkpoint import Checkpoint
from model.network.config import Weights
from model.served import Runtime
from training.corpus import Document
from training.finishing.examples import read_examples
from training.finishing.scorer import Scorer
from training.finishing.scorer_quantization import quantized
from training.reporting.card import model_card

# What is read where nothing else is asked for: a training primes within a minute or two on it. The
# documents are spread over all that there are.
MOST_DOCUMENTS = 120
DOCUMENT_CHARACTERS = 8192


@dataclass(frozen=True)
class Primed:
    """The parameters, and bits an id on what they were trained on: without and with them."""

    parameters: Parameters
    places: int
    network_bits: float
    adapted_bits: float

    def added_to(self, weights: Weights) -> Weights:
        """A checkpoint's arrays with these parameters in the place of earlier ones."""
        others = {name: w for name, w in weights.items() if not name.startswith(PREFIX)}
        return others | self.parameters.to_arrays()

    def summary(self) -> dict[str, float]:
        """What config.json tells of it."""
        return {
            "ids": self.places,
            "network_bits": self.network_bits,
            "adapted_bits": self.adapted_bits,
        }


def choose_beginnings(documents: Sequence[Document], most: int = MOST_DOCUMENTS) -> list[str]:
    """Beginnings of `most` documents, spread over all; half of them late ones, where some are."""
    late = [d.text for d in documents if d.late]
    others = [d.text for d in documents if not d.late]
    share = most // 2 if late and others else most
    chosen = [
        text for part in (late, others) for text in part[:: max(1, len(part) // share)][:share]
    ]
    return [text[:DOCUMENT_CHARACTERS] for text in chosen]


def prime(trained: Checkpoint, texts: Sequence[str], seed: int = 1) -> Primed:
    """Trains the parameters for a checkpoint on texts that it is not validated on.

    Raises ValueError where the texts are empty.
    """
    examples = read_examples(Runtime(trained, adapt=False), texts)
    if not len(examples):
        raise ValueError("texts to prime adaptation with: all are empty")
    units = trained.config.hidden
    parameters, bits = Parameters.neutral(units), float(-np.log2(examples.given).mean())
    adapted = bits
    if len(examples.with_candidates()):
        scorer = Scorer(examples, seed)
        scorer.fit(examples)
        parameters, adapted = quantized(scorer, examples), scorer.bits(examples)
    return Primed(parameters, len(examples), bits, adapted)


def save(folder: Path, trained: Checkpoint, primed: Primed, data: str = "") -> None:
    """Writes the checkpoint with these parameters, whole or not at all.

    Its card is written, too, where a training is described. `data` says what was read, for the
    card.
    """
    described = {"data": data} if data else {}
    summary = {**trained.training, "adaptation": primed.summary() | described}
    card = model_card(trained.name, trained.config, summary) if "settings" in summary else None
    checkpoint.save(folder, trained.config, primed.added_to(trained.weights), summary, card)
