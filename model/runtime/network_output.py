"""The output of a network at some places: what adaptation gets from the network."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class NetworkOutput(NamedTuple):
    """The network's distributions at some places, and the hidden states that they come from.

    `probabilities` (places, ids) float32. `hidden` (places, units) int8 is the hidden state of the
    last layer, which tells adaptation what kind of place each one is.
    """

    probabilities: NDArray[np.float32]
    hidden: NDArray[np.int8]

    def at(self, place: int) -> "NetworkOutput":
        """The output at one place, (1, …)."""
        rows = slice(place, place + 1)
        return NetworkOutput(self.probabilities[rows], self.hidden[rows])

    def copy(self) -> "NetworkOutput":
        """The same output in arrays of its own."""
        return NetworkOutput(self.probabilities.copy(), self.hidden.copy())
