"""Which candidate goes best with the text behind the cursor: the one under which both are likely.

Bayes' rule over the candidates that may be all that is missing: a candidate's own probability times
that of the suffix's first characters after it. One that was left in the midst of a line is only the
beginning of what is missing, so that the suffix behind it tells nothing. A product is kept as
mantissa and exponent, which no length makes zero.
"""

from collections.abc import Sequence
from math import frexp

from model.decoding.candidate import Candidate
from model.decoding.next_step import NextStep, Queries, Query
from model.decoding.suffix import first_line
from model.errors import TextError
from model.vocabulary import Vocabulary

READ = 32
"""So many characters of the suffix tell candidates apart."""
LEAST = 1e-45


def joins(candidate: Candidate, suffix: str) -> bool:
    """Whether a candidate has ended where the suffix would follow."""
    if candidate.finish_reason in ("line_end", "indentation"):
        return not first_line(suffix).strip()
    return candidate.finish_reason in ("suffix", "stop")


def best_fit(
    vocabulary: Vocabulary, candidates: Sequence[Candidate], suffix: str, cursor: NextStep
) -> Queries[int]:
    """The number of the candidate that fits best, the first of equals.

    They all begin at the `cursor`, and the suffix would follow each. One that the vocabulary cannot
    spell tells nothing.
    """
    if len(candidates) == 1:
        return 0
    try:
        behind = vocabulary.encode(suffix[:READ]).tolist()
    except TextError:
        return 0
    scores = [_times((0, 1.0), candidate.right[-1]) for candidate in candidates]
    own = [vocabulary.encode(candidate.text).tolist() for candidate in candidates]
    ids = [before + behind for before in own]
    for at in range(max(map(len, ids))):
        going = [n for n in range(len(ids)) if at < len(ids[n])]
        asks = [n for n in going if at >= len(own[n])]
        writes = [] if at else [(n, cursor) for n in going]
        moves = [(n, ids[n][at - 1]) for n in going] if at else []
        next_steps = yield Query(writes, moves, asks, distributions=True)
        for n, next_step in zip(asks, next_steps, strict=True):
            assert next_step.distribution is not None
            scores[n] = _times(scores[n], float(next_step.distribution[ids[n][at]]))
    return max(range(len(scores)), key=lambda n: (scores[n], -n))


def _times(score: tuple[int, float], probability: float) -> tuple[int, float]:
    """A product, as exponent and mantissa, which compare as the products do."""
    exponent, mantissa = score
    mantissa, more = frexp(mantissa * max(probability, LEAST))
    return exponent + more, mantissa
