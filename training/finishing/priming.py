"""Primes adaptation: trains the small network that scores what a page finds, for one checkpoint.

    python -m training.priming CHECKPOINT TEXT… [--include PATTERN] [--documents N]

It reads documents, never validation text, each on a page of its own, and learns how much more
probable than the network alone has it a candidate is. A training does this at its end, on the text
that it has read; the program does it again for a checkpoint that is finished. On text that the
network has not read it does better: there the network is no surer than it will be of a user's text.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import adaptation, checkpoint
from model.adaptation.engine import Collected
from model.adaptation.index import LIMIT
from model.adaptation.parameters import PREFIX, Parameters
from model.checkpoint import Checkpoint
from model.errors import ModelError
from model.network.config import Weights
from model.runtime import Ids
from model.runtime.network_output import NetworkOutput
from model.served import Runtime
from training.corpus import CorpusError, Document, Selection, read
from training.finishing.scorer import Examples, Scorer
from training.reporting.card import model_card

DOCUMENTS = 120
"""How many documents are read, spread over all that there are, where nothing else is said."""
CHARACTERS = 8192
"""How many characters of each."""
TOGETHER = 16
"""Documents that are read side by side."""


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


def choose(documents: Sequence[Document], most: int = DOCUMENTS) -> list[str]:
    """Beginnings of documents, spread over all of them; half of what is late, where some is."""
    late = [d.text for d in documents if d.late]
    others = [d.text for d in documents if not d.late]
    share = most // 2 if late and others else most
    chosen = [
        text for part in (late, others) for text in part[:: max(1, len(part) // share)][:share]
    ]
    return [text[:CHARACTERS] for text in chosen]


def prime(trained: Checkpoint, texts: Sequence[str], seed: int = 1) -> Primed:
    """Trains the parameters for a checkpoint on texts that belong to its training text.

    Raises ValueError where the texts are empty.
    """
    examples = collect(Runtime(trained, adapt=False), texts)
    if not len(examples):
        raise ValueError("texts to prime adaptation with: all are empty")
    units = trained.config.hidden
    parameters, bits = Parameters.neutral(units), float(-np.log2(examples.given).mean())
    adapted = bits
    if len(examples.useful()):
        scorer = Scorer(examples, seed)
        scorer.fit(examples)
        parameters, adapted = scorer.quantized(examples), scorer.bits(examples)
    return Primed(parameters, len(examples), bits, adapted)


def collect(runtime: Runtime, texts: Sequence[str]) -> Examples:
    """Reads texts, each on a page of its own, as far as a page reaches."""
    vocabulary, units = runtime.vocabulary, runtime.network.config.hidden
    engine = adaptation.engine_for(Parameters.neutral(units), vocabulary, runtime.backend)
    parts: list[Examples] = []
    for begin in range(0, len(texts), TOGETHER):
        ids = [vocabulary.encode(text)[:LIMIT] for text in texts[begin : begin + TOGETHER]]
        for document, network_output in zip(ids, _read(runtime, ids), strict=True):
            found = engine.collect(engine.index(), document, network_output.probabilities)
            parts.append(_examples(document, network_output, found))
    begins = np.concatenate([[0], *(np.diff(part.begins) for part in parts)]).cumsum()
    names = ("hidden", "shared", "own", "probabilities", "right", "given")
    columns = {name: [getattr(part, name) for part in parts] for name in names}
    parts.clear()
    # They are large: each is let go as soon as it is joined.
    return Examples(begins, **{name: np.concatenate(columns.pop(name)) for name in names})


def _read(runtime: Runtime, documents: Sequence[Ids]) -> list[NetworkOutput]:
    """What the network says before each id of some documents."""
    pool = runtime.pool(len(documents))
    slots = np.array([pool.acquire() for _ in documents])
    for slot in slots.tolist():
        pool.start(slot)
    lengths = np.array([len(document) for document in documents])
    units = runtime.network.config.hidden
    read = [
        NetworkOutput(
            np.empty((length, runtime.network.size), np.float32), np.empty((length, units), np.int8)
        )
        for length in lengths
    ]
    for place in range(lengths.max(initial=0)):
        live = np.flatnonzero(lengths > place).tolist()
        for document, *row in zip(live, *pool.network_output(slots[live]), strict=True):
            read[document].probabilities[place], read[document].hidden[place] = row
        pool.step(slots[live], np.array([documents[document][place] for document in live]))
    return read


def _examples(ids: Ids, network_output: NetworkOutput, collected: Collected) -> Examples:
    p, places = network_output.probabilities, np.repeat(np.arange(len(ids)), collected.counts)
    return Examples(
        np.concatenate([[0], np.cumsum(collected.counts)]),
        network_output.hidden,
        collected.shared,
        collected.own,
        p[places, collected.ids],
        collected.ids == ids[places],
        p[np.arange(len(ids)), ids],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Primes the checkpoint that is named, in place; returns an exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.finishing.priming", description=__doc__
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("text", nargs="+", type=Path, help="files or folders, not for validation")
    parser.add_argument("--include", action="append", metavar="PATTERN")
    parser.add_argument("--skip", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="at most so many")
    parser.add_argument("--data", default="", metavar="WORDS", help="what it is, for the card")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        corpus = read(options.text, Selection(tuple(options.include or "*"), tuple(options.skip)))
        trained = checkpoint.load(options.checkpoint)
        primed = prime(trained, choose(corpus.train, options.documents), options.seed)
        save(options.checkpoint, trained, primed, options.data)
    except (CorpusError, ModelError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{options.checkpoint}: {primed.network_bits:.3f} bits an id by the network, "
        f"{primed.adapted_bits:.3f} adapted, on {primed.places:,} ids"
    )
    return 0


def save(folder: Path, trained: Checkpoint, primed: Primed, data: str = "") -> None:
    """Writes the checkpoint with these parameters, whole or not at all.

    Its card is written, too, where a training is described; it says what `data` they come from.
    """
    described = {"data": data} if data else {}
    summary = {**trained.training, "adaptation": primed.summary() | described}
    card = model_card(trained.name, trained.config, summary) if "settings" in summary else None
    checkpoint.save(folder, trained.config, primed.added_to(trained.weights), summary, card)


if __name__ == "__main__":
    sys.exit(main())
