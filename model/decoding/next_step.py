"""The next step: what is predicted to come next at some places, and how a decoder asks for it.

A decoder asks for the next steps of its branches, chooses, and goes on. Whether it runs alone or in
a batch of many requests, its answers are made here. With adaptation they are the network's, mixed
with what the page of the text knows of the place.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from model.adaptation import Adaptation, Cursor
from model.runtime import Pool
from model.runtime.arithmetic import Floats
from model.runtime.network_output import NetworkOutput
from model.runtime.pool import Slots
from model.vocabulary import Vocabulary

Result = TypeVar("Result")


class NextStep(NamedTuple):
    """The most probable id that comes next, ties to the lowest, and its probability.

    The rest is None where nobody asked for it: the whole `distribution`, shape (ids,); the
    network's `state` and the page's `cursor`, from which a branch can start here again; and, where
    a page is mixed in, what the `network` alone predicts.
    """

    id: int
    probability: float
    distribution: Floats | None = None
    state: bytes | None = None
    cursor: Cursor | None = None
    network: NetworkOutput | None = None


class Query(NamedTuple):
    """What a decoder wants to know: the next step of some branches, after they have moved.

    First `restores` puts branches back to earlier next steps, then `steps` moves branches by an id
    each. Then the next steps of the branches `wanted` are the answer, in this order, with their
    distributions where `distributions` says so. When decoding begins, branch 0 is at the end of the
    text.
    """

    restores: Sequence[tuple[int, NextStep]]
    steps: Sequence[tuple[int, int]]
    wanted: Sequence[int]
    distributions: bool


# A part of decoding: it yields queries, is sent the answer of each, and returns what it found.
Queries = Generator[Query, Sequence[NextStep], Result]


def predicted(
    pool: Pool,
    adaptation: Adaptation | None,
    slots: Sequence[int],
    cursors: Sequence[Cursor],
    distributions: bool,
    states: Sequence[bytes | None],
) -> list[NextStep]:
    """The next step at each slot; with adaptation the page's knowledge at each cursor is mixed in.

    `states` become part of the answer: what was read of each slot, or None.
    """
    if not slots:
        return []
    if adaptation is not None:
        return adapted(adaptation, cursors, pool.network_output(slots), distributions, states)
    ids, given = pool.best(slots)
    whole = pool.probabilities(slots) if distributions else [None] * len(slots)
    return list(map(NextStep, ids.tolist(), given.tolist(), whole, states))


def adapted(
    adaptation: Adaptation,
    cursors: Sequence[Cursor],
    network: NetworkOutput,
    distributions: bool,
    states: Sequence[bytes | None],
) -> list[NextStep]:
    """The next step at each cursor, from what the `network` predicts there.

    Each holds its cursor itself, so it is of use only until the caller moves that cursor on.
    """
    ids, given = adaptation.best(cursors, network)
    whole = adaptation.distribution(cursors, network) if distributions else [None] * len(cursors)
    alone = map(network.at, range(len(cursors)))
    return list(map(NextStep, ids.tolist(), given.tolist(), whole, states, cursors, alone))


def predicted_distributions(
    pool: Pool, adaptation: Adaptation | None, slots: Slots, cursors: Sequence[Cursor]
) -> Floats:
    """The distributions alone that `predicted` has at the same places, shape (slots, ids)."""
    if adaptation is None:
        return pool.probabilities(slots)
    return adaptation.distribution(cursors, pool.network_output(slots))


def next_characters(
    vocabulary: Vocabulary, probabilities: Floats, top: int
) -> tuple[tuple[str, float], ...]:
    """The `top` most probable characters of a distribution over ids, ties to the lowest id.

    Bytes that begin a character outside the vocabulary are no characters, and are left out.
    """
    characters = probabilities[: len(vocabulary.characters)]
    order = np.argsort(-characters, kind="stable")[:top]
    return tuple((vocabulary.characters[i], float(characters[i])) for i in order)
