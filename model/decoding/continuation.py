"""The steps of a decoding, kept so that the decoding of the session's next text can replay them."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from model.decoding.next_step import NextStep

# How many steps of a decoding are kept at most; those after them are computed again. A step of a
# network of 512 units takes 4.1 KB.
MOST_KEPT_STEPS = 16


class ChosenStep(NamedTuple):
    """A next step, and the id that was chosen there."""

    next_step: NextStep
    id: int

    def kept(self) -> "ChosenStep":
        """The step without its cursor and without what a replay with a page computes again.

        Its arrays are copies. The arrays of a next step are views of those of its whole batch,
        which would stay in memory.
        """
        network, distribution = self.next_step.network, self.next_step.distribution
        if network is not None:
            network, distribution = network.copy(), None
        elif distribution is not None:
            distribution = distribution.copy()
        bare = self.next_step._replace(cursor=None, network=network, distribution=distribution)
        return ChosenStep(bare, self.id)


ChosenSteps = tuple[ChosenStep, ...]
StepsT = TypeVar("StepsT")


@dataclass(frozen=True)
class Continuation(Generic[StepsT]):
    """The steps that were chosen after a text; `base` is that text's digest.

    What the network predicts at these steps depends only on the text and on the checkpoint of
    `fingerprint`. So taking it from here gives the same bits as computing it.
    """

    fingerprint: str
    base: bytes
    steps: StepsT

    def after(self, fingerprint: str, base: bytes) -> StepsT | None:
        """The steps if they begin after this text in this checkpoint's network, else None."""
        return self.steps if (self.fingerprint, self.base) == (fingerprint, base) else None
