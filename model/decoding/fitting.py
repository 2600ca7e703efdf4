"""Which candidate fits the text behind the cursor best.

By Bayes' rule, that is the one with the largest product of its own probability and the probability
that the suffix's first characters follow it. This holds for candidates that may be the whole of the
missing text. A candidate that was cut in the middle of a line is only the beginning of that text,
so the suffix says nothing about it.
"""

from collections.abc import Sequence
from math import frexp

from model.decoding.candidate import Candidate
from model.decoding.next_step import NextStep, Queries, Query
from model.decoding.suffix import first_line
from model.errors import TextError
from model.vocabulary import Vocabulary

# How many characters of the suffix are compared. Each costs a step of the network, and the first
# few usually decide which candidate fits best.
COMPARED_CHARACTERS = 32
# Replaces a probability that is zero in float32, so that no single id rules a candidate out.
LEAST_PROBABILITY = 1e-45


def joins(candidate: Candidate, suffix: str) -> bool:
    """Whether a candidate has ended at a place where the suffix may follow."""
    if candidate.finish_reason in ("line_end", "indentation"):
        return not first_line(suffix).strip()
    return candidate.finish_reason in ("suffix", "stop")


def best_fit(
    vocabulary: Vocabulary, candidates: Sequence[Candidate], suffix: str, cursor: NextStep
) -> Queries[int]:
    """The number of the candidate that fits best, the first one among equals.

    All candidates begin at the next step `cursor`, and each `joins` the suffix. Where the
    vocabulary cannot spell the suffix, the first candidate is taken.
    """
    if len(candidates) == 1:
        return 0
    try:
        behind = vocabulary.encode(suffix[:COMPARED_CHARACTERS]).tolist()
    except TextError:
        return 0
    scores = [_times((0, 1.0), candidate.right[-1]) for candidate in candidates]
    own = [vocabulary.encode(candidate.text).tolist() for candidate in candidates]
    ids = [before + behind for before in own]
    # All candidates step side by side through their own ids and then the suffix's. Only the next
    # steps at the suffix's ids are wanted, because the candidates' own probabilities are known.
    for at in range(max(map(len, ids))):
        going = [n for n in range(len(ids)) if at < len(ids[n])]
        wanted = [n for n in going if at >= len(own[n])]
        restores = [] if at else [(n, cursor) for n in going]
        steps = [(n, ids[n][at - 1]) for n in going] if at else []
        next_steps = yield Query(restores, steps, wanted, distributions=True)
        for n, next_step in zip(wanted, next_steps, strict=True):
            assert next_step.distribution is not None
            scores[n] = _times(scores[n], float(next_step.distribution[ids[n][at]]))
    return max(range(len(scores)), key=lambda n: (scores[n], -n))


def _times(score: tuple[int, float], probability: float) -> tuple[int, float]:
    """A score times a probability, as (exponent, mantissa): tuples compare as the products do.

    A plain float could become zero within a few dozen ids.
    """
    exponent, mantissa = score
    mantissa, more = frexp(mantissa * max(probability, LEAST_PROBABILITY))
    return exponent + more, mantissa
