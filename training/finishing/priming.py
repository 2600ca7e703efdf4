"""Priming: trains the scorer of adaptation, the small network that scores a page's candidates.

Priming reads documents, never validation text, each on its own page. The scorer learns how much
more probable a candidate is than the network alone says. A training primes at its end, on its own
text. Text that is new to the network is better, because the network is as unsure of it as of a
user's text.
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

# By default priming reads the beginnings of this many documents, spread over all of them. This
# takes a minute or two at the end of a training.
MOST_DOCUMENTS = 120
DOCUMENT_CHARACTERS = 8192


@dataclass(frozen=True)
class Primed:
    """The parameters, and the bits an id on their training text without and with adaptation."""

    parameters: Parameters
    places: int
    network_bits: float
    adapted_bits: float

    def added_to(self, weights: Weights) -> Weights:
        """A checkpoint's arrays, with these parameters in place of earlier ones."""
        others = {name: w for name, w in weights.items() if not name.startswith(PREFIX)}
        return others | self.parameters.to_arrays()

    def summary(self) -> dict[str, float]:
        """The figures that config.json keeps."""
        return {
            "ids": self.places,
            "network_bits": self.network_bits,
            "adapted_bits": self.adapted_bits,
        }


def choose_beginnings(documents: Sequence[Document], most: int = MOST_DOCUMENTS) -> list[str]:
    """The beginnings of at most `most` documents, spread over all of them.

    Where there are late and other documents, each kind gives at most half.
    """
    late = [d.text for d in documents if d.late]
    others = [d.text for d in documents if not d.late]
    share = most // 2 if late and others else most
    chosen = [
        text for part in (late, others) for text in part[:: max(1, len(part) // share)][:share]
    ]
    return [text[:DOCUMENT_CHARACTERS] for text in chosen]


def prime(trained: Checkpoint, texts: Sequence[str], seed: int = 1) -> Primed:
    """Trains the parameters for a checkpoint on texts that it is not validated on.

    Where no place has a candidate, the parameters are neutral: they change no probability. Raises
    ValueError where all texts are empty.
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

    The card is written as well where the training is described. `data` says for the card what text
    was read.
    """
    described = {"data": data} if data else {}
    summary = {**trained.training, "adaptation": primed.summary() | described}
    card = model_card(trained.name, trained.config, summary) if "settings" in summary else None
    checkpoint.save(folder, trained.config, primed.added_to(trained.weights), summary, card)
