"""Which candidate goes best with the text behind the cursor: the one under which both are likely.

Bayes' rule over the candidates: a candidate's own probability times that of the suffix's first
characters after it. A product is kept as mantissa and exponent, which no length makes zero.
"""

from collections.abc import Sequence
from math import frexp

from model.errors import TextError
from model.outlook import Outlook, Turn, Turns
from model.vocabulary import Vocabulary

READ = 32
"""So many characters of the suffix tell candidates apart."""
LEAST = 1e-45


def best_fit(
    vocabulary: Vocabulary, candidates: Sequence[tuple[str, float]], suffix: str, cursor: Outlook
) -> Turns[int]:
    """The number of the candidate that fits best, given their texts and probabilities.

    They all begin at the `cursor`. A suffix that the vocabulary cannot spell tells nothing.
    """
    try:
        behind = vocabulary.encode(suffix[:READ]).tolist()
    except TextError:
        return 0
    scores = [_times((0, 1.0), probability) for _, probability in candidates]
    own = [vocabulary.encode(text).tolist() for text, _ in candidates]
    ids = [before + behind for before in own]
    for at in range(max(map(len, ids))):
        going = [n for n in range(len(ids)) if at < len(ids[n])]
        asks = [n for n in going if at >= len(own[n])]
        writes = [] if at else [(n, cursor) for n in going]
        moves = [(n, ids[n][at - 1]) for n in going] if at else []
        outlooks = yield Turn(writes, moves, asks, whole=True)
        for n, outlook in zip(asks, outlooks, strict=True):
            assert outlook.distribution is not None
            scores[n] = _times(scores[n], float(outlook.distribution[ids[n][at]]))
    return max(range(len(scores)), key=lambda n: (scores[n], -n))


def _times(score: tuple[int, float], probability: float) -> tuple[int, float]:
    """A product, as exponent and mantissa, which compare as the products do."""
    exponent, mantissa = score
    mantissa, more = frexp(mantissa * max(probability, LEAST))
    return exponent + more, mantissa
