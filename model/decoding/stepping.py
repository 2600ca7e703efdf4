"""Computes what decodings ask for: their steps and predictions, for all of them at once."""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NoReturn, TypeVar

import numpy as np

from model.adaptation import Adaptation
from model.decoding.next_step import predicted
from model.decoding.running import Decoding, Phase
from model.runtime import Pool

DecodingT = TypeVar("DecodingT", bound=Decoding)
Result = TypeVar("Result")

# Called with a decoding that failed while the others go on, and with its error.
Failed = Callable[[DecodingT, Exception], None]

# From this many ids of each decoding on, one call of `absorb` takes less time than a call of `step`
# for each id.
LEAST_IDS_ABSORBED = 4


def raise_error(decoding: Decoding, error: Exception) -> NoReturn:
    """Raises the error of one decoding, which ends the call for all of them."""
    raise error


def step_and_predict(
    pool: Pool,
    adaptation: Adaptation | None,
    decodings: Sequence[DecodingT],
    most_steps: int = sys.maxsize,
    failed: Failed[DecodingT] = raise_error,
) -> None:
    """Takes each decoding one step further: by an id of its text, or by what its decoder chose.

    All decodings hold slots of the `pool`, and their pages belong to `adaptation`. Where all that
    step still absorb their texts, each absorbs several ids at once, at most `most_steps` in total.

    An error in what concerns one decoding goes to `failed`, and the other decodings go on. An error
    in a call for all of them is raised. Then none of their states is known any more.
    """
    decodings = _step(pool, decodings, most_steps, failed)
    asking = [one for one in decodings if one.phase is Phase.DECODING]
    # Both are listed before any is answered, because an answer changes what is wanted next.
    simple = [one for one in asking if not one.wants_distributions]
    whole = [one for one in asking if one.wants_distributions]
    _predict(pool, adaptation, simple, False, failed)
    _predict(pool, adaptation, whole, True, failed)


def _step(
    pool: Pool,
    decodings: Sequence[DecodingT],
    most_steps: int,
    failed: Failed[DecodingT],
) -> list[DecodingT]:
    """Steps the decodings that have ids to read; returns all decodings that have not failed."""
    moved = _each(decodings, lambda one: one.move(pool), failed)
    going = [one for one, _ in moved]
    stepping = [one for one, steps in moved if steps]
    slots = [slot for _, steps in moved for slot, _ in steps]
    count = 1
    if slots:
        count = min(most_steps // len(slots), *(one.steps_at_once for one in stepping))
        if count < LEAST_IDS_ABSORBED:
            count = 1
            ids = [index for _, steps in moved for _, index in steps]
            pool.step(np.array(slots, np.int64), np.array(ids, np.int32))
        else:
            pool.absorb(slots, [one.ahead(count) for one in stepping])
    return [one for one, _ in _each(going, lambda one: one.stepped(pool, count), failed)]


def _predict(
    pool: Pool,
    adaptation: Adaptation | None,
    decodings: Sequence[DecodingT],
    distributions: bool,
    failed: Failed[DecodingT],
) -> None:
    """Answers decodings that all want distributions, or that all want none."""
    wanted = [one.wanted for one in decodings]
    slots = [slot for own in wanted for slot in own]
    cursors = [cursor for one in decodings for cursor in one.cursors]
    states = [
        pool.read(slot) if one.wants_states else None
        for one, own in zip(decodings, wanted, strict=True)
        for slot in own
    ]
    found = iter(predicted(pool, adaptation, slots, cursors, distributions, states))
    answers = iter([list(islice(found, len(own))) for own in wanted])
    _each(decodings, lambda one: one.answer(next(answers)), failed)


def _each(
    decodings: Sequence[DecodingT],
    call: Callable[[DecodingT], Result],
    failed: Failed[DecodingT],
) -> list[tuple[DecodingT, Result]]:
    """Each decoding with the result of its call, without those whose call failed."""
    results = []
    for one in decodings:
        try:
            results.append((one, call(one)))
        except Exception as error:
            failed(one, error)
    return results
