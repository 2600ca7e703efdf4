"""What was chosen after a text, kept so that the session's next text can be decoded by it."""

from dataclasses import dataclass
from typing import NamedTuple

from model.decoding.next_step import NextStep

# The most steps of a continuation that are kept; decoding beyond them is computed again. A step of
# a network of 512 units takes 4.1 KB.
MOST_KEPT_STEPS = 16


class ChosenStep(NamedTuple):
    """A next step, and the id that was chosen there."""

    next_step: NextStep
    id: int

    def kept(self) -> "ChosenStep":
        """The step without what depends on the page, and with arrays of its own.

        The arrays of a next step are views of its whole batch's, which would stay in memory.
        """
        network, distribution = self.next_step.network, self.next_step.distribution
        if network is not None:
            network, distribution = network.copy(), None
        elif distribution is not None:
            distribution = distribution.copy()
        bare = self.next_step._replace(cursor=None, network=network, distribution=distribution)
        return ChosenStep(bare, self.id)


@dataclass(frozen=True)
class Continuation:
    """What was chosen after a text, step by step; `base` is that text's digest.

    What the network predicts along it depends on the text and on the checkpoint of `fingerprint`
    alone, so that to take it from here and to compute it give the same bits.
    """

    fingerprint: str
    base: bytes
    steps: tuple[ChosenStep, ...]

    def after(self, fingerprint: str, base: bytes) -> tuple[ChosenStep, ...]:
        """The steps, if they begin after that text, in the network of that checkpoint."""
        return self.steps if (self.fingerprint, self.base) == (fingerprint, base) else ()
