"""A suggestion as a peer decoded it, and the gates that decide how much of it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.decoding.expected_saving import best_length
from training.evaluation.timing import Milliseconds


@dataclass(frozen=True)
class ChainStep:
    """One token of a chain.

    After this step the chain has `length` characters, and all its tokens are right with the
    probability `right`. `seconds` is the processor time spent so far, including the time to read
    the text.
    """

    length: int
    right: float
    seconds: float


@dataclass(frozen=True)
class Chain:
    """A suggestion of at most `max_chars` characters, decoded to the end of its line.

    `right` has, for each length from 1 on, the probability that this many characters are right.
    """

    text: str
    right: tuple[float, ...]
    steps: tuple[ChainStep, ...]
    max_chars: int


@dataclass(frozen=True)
class Cut:
    """What is shown of a chain: a text, the probability that it is right, and when it was known."""

    text: str
    confidence: float
    seconds: float


@dataclass(frozen=True)
class Gate:
    """Shows only what is right with a probability of at least `bound`; decoding ends there.

    Of the lengths within the bound it takes the longest, or with `by_value` the one at which the
    typist is expected to save the most keys, as for the networks here. Where `inside` is false, a
    token is shown whole or not at all, as by clients that see only tokens.
    """

    bound: float = 0.0
    by_value: bool = False
    inside: bool = True

    def __str__(self) -> str:
        bound = f", bound {self.bound:g}" if self.bound else ""
        return f"{'by value' if self.by_value else 'whole' if self.inside else 'tokens'}{bound}"

    def cut(self, chain: Chain) -> Cut:
        """What this gate shows of a chain."""
        length, seconds = 0, 0.0
        for step in chain.steps:
            seconds = step.seconds
            if self.inside or (step.length and chain.right[step.length - 1] >= self.bound):
                length = step.length
            if step.right < self.bound:
                break
        while length and chain.right[length - 1] < self.bound:
            length -= 1
        if self.by_value and length:
            length = best_length(chain.text[:length], (1.0, *chain.right[:length]))
        return Cut(chain.text[:length], chain.right[length - 1] if length else 1.0, seconds)


# The gates that a peer is tried with. The first one shows everything that was decoded.
GATES = (
    *(Gate(bound, inside=False) for bound in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
    *(Gate(bound) for bound in (0.1, 0.2, 0.3, 0.4, 0.5)),
    *(Gate(bound, by_value=True) for bound in (0.02, 0.1, 0.2, 0.3)),
)


def milliseconds(cuts: Sequence[Cut]) -> Milliseconds:
    """How long the suggestions took."""
    median, p95 = np.quantile([cut.seconds for cut in cuts], [0.5, 0.95]) * 1000
    return Milliseconds(float(median), float(p95))
