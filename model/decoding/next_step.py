"""The next step: what is predicted after a text, and how a decoder asks for it.

A decoder asks for the next steps of its branches, chooses an id at each, and goes on. The functions
here make the answers, for one decoder or for a batch of many. With adaptation, an answer mixes the
network's prediction with what the page knows of the place.
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
    """The most probable next `id`, ties to the lowest, and its probability.

    The other fields are None where nobody asked for them: the whole `distribution`, shape (ids,);
    the network's `state` and the page's `cursor`, from which a branch can start here again; and,
    where a page is mixed in, what the `network` alone predicts.
    """

    id: int
    probability: float
    distribution: Floats | None = None
    state: bytes | None = None
    cursor: Cursor | None = None
    network: NetworkOutput | None = None


class Query(NamedTuple):
    """What a decoder wants to know: the next steps of some branches, after they have moved.

    First each (branch, next step) of `restores` puts a branch back to an earlier next step. Then
    each (branch, id) of `steps` moves a branch by an id. The answer is the next step of each branch
    in `wanted`, in this order; with `distributions`, each has its distribution. When decoding
    begins, branch 0 is at the end of the text.
    """

    restores: Sequence[tuple[int, NextStep]]
    steps: Sequence[tuple[int, int]]
    wanted: Sequence[int]
    distributions: bool


# A part of decoding: it yields queries, is sent the answer to each, and returns its result.
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

    `states` has the state that was read from each slot, or None; it becomes part of the answer.
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

    A next step holds the cursor itself. A caller that keeps next steps must give copies of its
    cursors, because a branch cannot start again at a cursor that has moved on.
    """
    whole: Floats | list[None]
    if distributions:
        # The ids and the values that `best` gives, without mixing a second time.
        whole = adaptation.distribution(cursors, network)
        ids, given = whole.argmax(axis=1), whole.max(axis=1)
    else:
        whole = [None] * len(cursors)
        ids, given = adaptation.best(cursors, network)
    alone = map(network.at, range(len(cursors)))
    return list(map(NextStep, ids.tolist(), given.tolist(), whole, states, cursors, alone))


def predicted_distributions(
    pool: Pool, adaptation: Adaptation | None, slots: Slots, cursors: Sequence[Cursor]
) -> Floats:
    """Only the distributions of `predicted`, shape (slots, ids)."""
    if adaptation is None:
        return pool.probabilities(slots)
    return adaptation.distribution(cursors, pool.network_output(slots))


def next_characters(
    vocabulary: Vocabulary, probabilities: Floats, top: int
) -> tuple[tuple[str, float], ...]:
    """The `top` most probable characters of a distribution over ids, ties to the lowest id.

    Ids of bytes are left out, because they only spell characters outside the vocabulary.
    """
    characters = probabilities[: len(vocabulary.characters)]
    order = np.argsort(-characters, kind="stable")[:top]
    return tuple((vocabulary.characters[i], float(characters[i])) for i in order)
