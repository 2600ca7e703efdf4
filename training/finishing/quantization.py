"""Turns a float checkpoint into one to serve: clips it, primes it, and measures what that costs."""

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
from training.errors import QuantizationError
from training.evaluation.scoring import mean_bits, read
from training.evaluation.validation import Validation
from training.finishing.clipping import clipped
from training.finishing.priming import choose_beginnings, prime
from training.reporting.card import model_card

# Serving in integers may cost at most this many bits a character. Packing costs up to 0.006 of them
# in a small network with few rows of contexts, each of which is read often.
LARGEST_COST_BITS = 0.01
# Weights are clipped by the activations on passages of training text: their number, and the most
# characters of each.
CLIPPING_PASSAGES = 32
CLIPPING_PASSAGE_CHARACTERS = 500
# Bits are measured on at most about this many characters of held-out text, because a run measures
# up to 20 times.
VALIDATION_CHARACTERS = 100_000


@dataclass(frozen=True)
class QuantizationCost:
    """Bits a character on held-out text: of the float network, and of the served one.

    `packed_bits` are those of the float network with its contexts' rows packed.
    """

    float_bits: float
    packed_bits: float
    served_bits: float

    @property
    def bits(self) -> float:
        """The bits a character that serving in integers costs."""
        return self.served_bits - self.float_bits


def clip_and_measure(
    trained: Checkpoint, texts: Sequence[str], validation: Validation
) -> tuple[Weights, QuantizationCost]:
    """Clips the weights by training text, and measures on held-out text what serving them costs.

    Raises QuantizationError where this is more than `LARGEST_COST_BITS`.
    """
    network = Network(trained.config)
    network.load_weights(trained.weights)
    weights = clipped(trained, _clipping_passages(trained, texts))
    served = Runtime(replace(trained, weights=weights), adapt=False)
    served_bits = mean_bits(read(served, validation.texts))
    packed_bits = validation.bits_per_character(network)
    # The rows of a checkpoint are packed already. The training measured the network before that.
    known = trained.training.get("validation_bits_per_character") if network.contexts else None
    cost = QuantizationCost(packed_bits if known is None else known, packed_bits, served_bits)
    # A cost that is not a number is refused, too.
    if not cost.bits <= LARGEST_COST_BITS:
        raise QuantizationError(
            f"{trained.name}: served in integers it would cost {cost.bits:.4f} bits a character "
            f"({cost.served_bits:.4f}, in floating point {cost.float_bits:.4f}), more than "
            f"{LARGEST_COST_BITS}: train it anew with more weight decay or a lower learning rate; "
            "the folder keeps the network as it was trained"
        )
    return weights, cost


def finish_checkpoint(folder: Path, corpus: Corpus) -> QuantizationCost:
    """Makes the float checkpoint in a folder ready to be served, and records the cost in it.

    Its weights are clipped, and its adaptation is primed on the training text. Where serving costs
    too much, raises QuantizationError and leaves the folder as it was.
    """
    trained = checkpoint.load(folder)
    validation = Validation(corpus.validation, trained.vocabulary, VALIDATION_CHARACTERS)
    weights, cost = clip_and_measure(trained, [d.text for d in corpus.train], validation)
    primed = prime(replace(trained, weights=weights), choose_beginnings(corpus.train))
    weights = primed.added_to(weights)
    adapted = read(Runtime(replace(trained, weights=weights)), validation.texts)
    summary = {**trained.training, "quantization": asdict(cost) | {"cost": cost.bits}}
    summary["adaptation"] = primed.summary() | {"held_out_bits": mean_bits(adapted)}
    if trained.config.contexts:
        summary["context_rows"] = len(weights["contexts.rows"])
    card = model_card(trained.name, trained.config, summary)
    checkpoint.save(folder, trained.config, weights, summary, card)
    return cost


def _clipping_passages(trained: Checkpoint, texts: Sequence[str]) -> list[Ids]:
    """The beginnings of some documents as ids, spread over all documents."""
    chosen = texts[:: max(1, len(texts) // CLIPPING_PASSAGES)][:CLIPPING_PASSAGES]
    return [trained.vocabulary.encode(text[:CLIPPING_PASSAGE_CHARACTERS]) for text in chosen]
