"""What a network says of some places: the one thing that adaptation is told of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class NetworkOutput(NamedTuple):
    """The network's distribution at some places, and the hidden states that it comes from.

    `probabilities` (places, ids) float32; `hidden` (places, units) int8, the last layer's, in which
    adaptation sees what kind of place it is.
    """

    probabilities: NDArray[np.float32]
    hidden: NDArray[np.int8]

    def at(self, place: int) -> "NetworkOutput":
        """That of one place, as (1, …)."""
        rows = slice(place, place + 1)
        return NetworkOutput(self.probabilities[rows], self.hidden[rows])

    def copy(self) -> "NetworkOutput":
        """The same, with arrays of its own."""
        return NetworkOutput(self.probabilities.copy(), self.hidden.copy())
