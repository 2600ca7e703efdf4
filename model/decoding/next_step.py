"""What is predicted to come next in a place: the one seam between decoding and what predicts.

Decoding asks for the outlook of some places, chooses, and steps on; whether it runs alone or in a
batch of many requests, it gets its answers here. With adaptation these are the network's, mixed
with what the page of the text knows of the place.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from model.adaptation import Adaptation, Cursor
from model.runtime import Pool
from model.runtime.arithmetic import Floats
from model.runtime.network_output import NetworkOutput
from model.vocabulary import Vocabulary

Result = TypeVar("Result")


class NextStep(NamedTuple):
    """The most probable id that comes next, ties to the lowest, and its probability.

    The rest is None where not asked for: the whole `distribution`, shape (ids,); how to come back
    to the place, the network's `state` there and the page's `cursor`; and, where a page is mixed
    in, what the `network` alone says there.
    """

    id: int
    probability: float
    distribution: Floats | None = None
    state: bytes | None = None
    cursor: Cursor | None = None
    network: NetworkOutput | None = None


def next_steps(
    pool: Pool, slots: Sequence[int], whole: bool, states: Sequence[bytes | None]
) -> list[NextStep]:
    """The network's outlook at each slot's state, with the `whole` distribution or without it.

    `states` go along: what was read of each slot, or None.
    """
    if not slots:
        return []
    ids, given = pool.best(slots)
    distributions = pool.probabilities(slots) if whole else [None] * len(slots)
    return list(map(NextStep, ids.tolist(), given.tolist(), distributions, states))


def adapted(
    adaptation: Adaptation,
    cursors: Sequence[Cursor],
    network: NetworkOutput,
    whole: bool,
    states: Sequence[bytes | None],
) -> list[NextStep]:
    """The outlook at each cursor, from what the `network` says there.

    Each has its cursor, which its caller may go on with.
    """
    ids, given = adaptation.best(cursors, network)
    mixed = adaptation.distribution(cursors, network) if whole else [None] * len(cursors)
    alone = map(network.at, range(len(cursors)))
    return list(map(NextStep, ids.tolist(), given.tolist(), mixed, states, cursors, alone))


def predicted(
    pool: Pool,
    adaptation: Adaptation | None,
    slots: Sequence[int],
    cursors: Sequence[Cursor],
    whole: bool,
    states: Sequence[bytes | None],
) -> list[NextStep]:
    """The outlook at each slot's state, with what is known at each cursor where that counts."""
    if not slots:
        return []
    if adaptation is None:
        return next_steps(pool, slots, whole, states)
    return adapted(adaptation, cursors, pool.network_output(slots), whole, states)


def next_characters(
    vocabulary: Vocabulary, probabilities: Floats, top: int
) -> tuple[tuple[str, float], ...]:
    """The `top` most probable characters of a distribution over ids, the first id first in ties.

    Bytes that begin a character outside the vocabulary are no characters, and are left out.
    """
    characters = probabilities[: len(vocabulary.characters)]
    order = np.argsort(-characters, kind="stable")[:top]
    return tuple((vocabulary.characters[i], float(characters[i])) for i in order)


class Query(NamedTuple):
    """What decoding wants: first `writes`, then `moves`, then the outlooks of `asks`.

    Branches are put back to places, branches step by ids. Branch 0 is at the end of the text when
    decoding begins. `whole` outlooks have a distribution.
    """

    writes: Sequence[tuple[int, NextStep]]
    moves: Sequence[tuple[int, int]]
    asks: Sequence[int]
    whole: bool


Queries = Generator[Query, Sequence[NextStep], Result]
"""A part of decoding: yields turns, is sent the outlooks of each, and returns what it found."""
