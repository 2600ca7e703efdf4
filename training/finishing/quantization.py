"""From a float checkpoint to the one that is served: clipped, its cost measured, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model import checkpoint
from model.checkpoint import Checkpoint
from model.network.config import Weights
from model.network.network import Network
from model.runtime import Ids
from model.served import Runtime
from training.corpus import Corpus
from training.evaluation.scoring import mean_bits, read
from training.evaluation.validation import Validation
from training.finishing.clipping import clipped
from training.finishing.priming import choose, prime
from training.reporting.card import model_card

LARGEST_COST = 0.01
"""Bits a character that serving in integers may cost. With a small network and few rows, each of
which is read often, packing these takes up to 0.006 of it."""
PASSAGES, PASSAGE = 32, 500
"""How many passages of training text decide where weights are clipped, and their characters."""
VALIDATED = 100_000
"""Characters of held-out text on which the cost is measured, at the most."""


class QuantizationError(Exception):
    """A network that loses too much when it is served in integers; one line for a person."""


@dataclass(frozen=True)
class Cost:
    """Bits a character on held-out text: of the float network, and as served.

    `packed_bits` are those of the float network with the contexts' rows packed.
    """

    float_bits: float
    packed_bits: float
    served_bits: float

    @property
    def packing(self) -> float:
        """What packing the contexts' rows costs."""
        return self.packed_bits - self.float_bits

    @property
    def bits(self) -> float:
        """What serving in integers costs in all."""
        return self.served_bits - self.float_bits


def quantize(
    trained: Checkpoint, texts: Sequence[str], validation: Validation
) -> tuple[Weights, Cost]:
    """Weights clipped on training text, and what serving them costs on held-out text.

    Raises QuantizationError where it costs more than `LARGEST_COST`.
    """
    network = Network(trained.config)
    network.load_weights(trained.weights)
    weights = clipped(trained, _passages(trained, texts))
    served = Runtime(replace(trained, weights=weights), adapt=False)
    bits = mean_bits(read(served, validation.texts))
    packed = validation.bits_per_character(network)
    # The rows have been packed since the checkpoint was written; before, this was measured.
    known = trained.training.get("validation_bits_per_character") if network.contexts else None
    cost = Cost(packed if known is None else known, packed, bits)
    if not cost.bits <= LARGEST_COST:
        raise QuantizationError(
            f"{trained.name}: served in integers it would cost {cost.bits:.4f} bits a character "
            f"({cost.served_bits:.4f}, in floating point {cost.float_bits:.4f}), more than "
            f"{LARGEST_COST}: train it anew with more weight decay or a lower learning rate; the "
            "folder keeps the network as it was trained"
        )
    return weights, cost


def finish(folder: Path, corpus: Corpus) -> Cost:
    """Makes the float checkpoint in a folder the one that is served, and records the cost in it.

    What adapts it to the text at hand is trained here, too.

    Raises QuantizationError, and leaves the folder as it was, where serving costs too much.
    """
    trained = checkpoint.load(folder)
    validation = Validation(corpus.validation, trained.vocabulary, VALIDATED)
    weights, cost = quantize(trained, [d.text for d in corpus.train], validation)
    primed = prime(replace(trained, weights=weights), choose(corpus.train))
    weights = primed.added_to(weights)
    adapted = read(Runtime(replace(trained, weights=weights)), validation.texts)
    summary = {**trained.training, "quantization": asdict(cost) | {"cost": cost.bits}}
    summary["adaptation"] = primed.summary() | {"held_out_bits": mean_bits(adapted)}
    if trained.config.contexts:
        summary["context_rows"] = len(weights["contexts.rows"])
    card = model_card(trained.name, trained.config, summary)
    checkpoint.save(folder, trained.config, weights, summary, card)
    return cost


def _passages(trained: Checkpoint, texts: Sequence[str]) -> list[Ids]:
    """Beginnings of documents spread over all of them, as ids."""
    every = max(1, len(texts) // PASSAGES)
    return [trained.vocabulary.encode(text[:PASSAGE]) for text in texts[::every][:PASSAGES]]
