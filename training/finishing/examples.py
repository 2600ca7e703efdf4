"""The scorer's training examples: places in texts, and the candidates of a page at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model import adaptation
from model.adaptation.engine import Collected
from model.adaptation.index import LIMIT
from model.adaptation.parameters import Parameters
from model.runtime import Ids
from model.runtime.network_output import NetworkOutput
from model.served import Runtime

Floats = NDArray[np.float32]

# The number of documents that are read side by side. More would gain little, and the network's
# output at all their places is in memory at once.
BATCH_DOCUMENTS = 16


@dataclass(frozen=True)
class Examples:
    """Places of documents, one after another, and the candidates of a page at each place.

    `begins` (places + 1) tells where the candidates of each place begin. `hidden` (places, units)
    is the network's hidden state. `shared` (places, SHARED) and `own` (candidates, OWN) are the
    features. `probabilities` (candidates) are the network's, and `right` (candidates) tells whether
    the candidate is the id that came. `given` (places) is the network's probability of the id that
    came.
    """

    begins: NDArray[np.int64]
    hidden: NDArray[np.int8]
    shared: NDArray[np.int16]
    own: NDArray[np.int16]
    probabilities: Floats
    right: NDArray[np.bool_]
    given: Floats

    def __len__(self) -> int:
        return len(self.given)

    def candidates(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices of the candidates of some places, and the number that each place has."""
        counts = self.begins[places + 1] - self.begins[places]
        first = np.repeat(self.begins[places] - np.cumsum(counts) + counts, counts)
        return first + np.arange(counts.sum()), counts

    def features(self, places: NDArray[np.int64]) -> Floats:
        """The features of all candidates of some places, (candidates, SHARED + OWN)."""
        at, counts = self.candidates(places)
        shared = np.repeat(self.shared[places], counts, axis=0)
        return np.concatenate([shared, self.own[at]], axis=1).astype(np.float32)

    def with_candidates(self) -> NDArray[np.int64]:
        """The places that have candidates."""
        return np.flatnonzero(np.diff(self.begins))

    def spread(self, count: int) -> NDArray[np.int64]:
        """About `count` places, spread evenly over all of them."""
        return np.arange(0, len(self), max(1, len(self) // count))


def read_examples(runtime: Runtime, texts: Sequence[str]) -> Examples:
    """Reads texts, each on its own page and at most as far as a page reaches."""
    vocabulary, units = runtime.vocabulary, runtime.network.config.hidden
    engine = adaptation.engine_for(Parameters.neutral(units), vocabulary, runtime.backend)
    parts: list[Examples] = []
    for begin in range(0, len(texts), BATCH_DOCUMENTS):
        batch = texts[begin : begin + BATCH_DOCUMENTS]
        documents = [vocabulary.encode(text)[:LIMIT] for text in batch]
        for ids, output in zip(documents, _network_outputs(runtime, documents), strict=True):
            found = engine.collect(engine.index(), ids, output.probabilities)
            parts.append(_examples_of(ids, output, found))
    begins = np.concatenate([[0], *(np.diff(part.begins) for part in parts)]).cumsum()
    names = ("hidden", "shared", "own", "probabilities", "right", "given")
    columns = {name: [getattr(part, name) for part in parts] for name in names}
    # The arrays are large. The parts of each one are freed as soon as they are joined.
    parts.clear()
    return Examples(begins, **{name: np.concatenate(columns.pop(name)) for name in names})


def _network_outputs(runtime: Runtime, documents: Sequence[Ids]) -> list[NetworkOutput]:
    """The network's output before each id of some documents, which are read side by side."""
    pool = runtime.pool(len(documents))
    slots = np.array([pool.acquire() for _ in documents])
    for slot in slots.tolist():
        pool.start(slot)
    lengths = np.array([len(document) for document in documents])
    units = runtime.network.config.hidden
    outputs = [
        NetworkOutput(
            np.empty((length, runtime.network.size), np.float32), np.empty((length, units), np.int8)
        )
        for length in lengths
    ]
    for place in range(lengths.max(initial=0)):
        live = np.flatnonzero(lengths > place).tolist()
        for document, *row in zip(live, *pool.network_output(slots[live]), strict=True):
            outputs[document].probabilities[place], outputs[document].hidden[place] = row
        pool.step(slots[live], np.array([documents[document][place] for document in live]))
    return outputs


def _examples_of(ids: Ids, output: NetworkOutput, collected: Collected) -> Examples:
    """The examples of one document."""
    p, places = output.probabilities, np.repeat(np.arange(len(ids)), collected.counts)
    return Examples(
        begins=np.concatenate([[0], np.cumsum(collected.counts)]),
        hidden=output.hidden,
        shared=collected.shared,
        own=collected.own,
        probabilities=p[places, collected.ids],
        right=collected.ids == ids[places],
        given=p[np.arange(len(ids)), ids],
    )
