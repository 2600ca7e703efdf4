"""The interface of adaptation's backends: they keep indices, move cursors, mix distributions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.adaptation.index import Ids, Index, Symbols
from model.adaptation.parameters import Int8s, Int16s, Parameters
from model.runtime.network_output import NetworkOutput

Floats = NDArray[np.float32]
Integers = NDArray[np.integer]


class Stale(ValueError):
    """A cursor was used whose page has changed since it was made."""

    def __init__(self) -> None:
        super().__init__("the page has changed since this cursor was made")


class Cursor(ABC):
    """A place at or beyond a page's end.

    Ids that are pushed become context for the ids after them, but are never counted in the page. A
    cursor that is used after its page has changed raises Stale, a ValueError.
    """

    def __init__(self, engine: "Engine[Any, Any]") -> None:
        self.engine = engine

    def push(self, index: int) -> None:
        """Moves on by one id; raises ValueError for an id that is not in the vocabulary."""
        self.engine.push([self], [index])

    @abstractmethod
    def copy(self) -> "Cursor":
        """Another cursor at the same place."""


IndexT = TypeVar("IndexT", bound=Index)
CursorT = TypeVar("CursorT", bound=Cursor)


@dataclass(frozen=True)
class Collected:
    """The candidates at some places, from which the scorer is trained.

    `counts` (places) says how many candidates each place has. `ids` (candidates) are the candidates
    of all places, one place after another. The features are `shared` (places, SHARED) and `own`
    (candidates, OWN).
    """

    counts: NDArray[np.int32]
    ids: NDArray[np.uint16]
    shared: Int16s
    own: Int16s


class Engine(ABC, Generic[IndexT, CursorT]):
    """One backend with the parameters of one checkpoint. All backends give the same bits."""

    def __init__(self, parameters: Parameters, symbols: Symbols) -> None:
        self.parameters = parameters
        self.symbols = symbols

    def check_count(self, count: int, ids: Integers) -> None:
        """Raises ValueError where there is not one id for each cursor."""
        if ids.shape != (count,):
            raise ValueError(f"ids: {list(ids.shape)}, not [{count}]")

    def check_probabilities(self, count: int, probabilities: Floats) -> Floats:
        """The rows as C reads them; raises ValueError unless there is a row for each place."""
        p = np.ascontiguousarray(probabilities, np.float32)
        if p.shape != (count, self.symbols.size):
            raise ValueError(f"probabilities: {list(p.shape)}, not [{count}, {self.symbols.size}]")
        return p

    def check_network_output(
        self, count: int, network_output: NetworkOutput
    ) -> tuple[Floats, Int8s]:
        """Both arrays as C reads them; raises ValueError unless they have a row for each place."""
        hidden = np.ascontiguousarray(network_output.hidden, np.int8)
        if hidden.shape != (count, self.parameters.units):
            raise ValueError(
                f"hidden: {list(hidden.shape)}, not [{count}, {self.parameters.units}]"
            )
        return self.check_probabilities(count, network_output.probabilities), hidden

    @abstractmethod
    def index(self) -> IndexT:
        """An empty index."""

    @abstractmethod
    def cursor(self, index: IndexT) -> CursorT:
        """The place at an index's end."""

    @abstractmethod
    def push(self, cursors: Sequence[CursorT], ids: Sequence[int] | Integers) -> None:
        """Moves each cursor on by an id.

        Raises ValueError, and moves none, for an id that is not in the vocabulary, and Stale.
        """

    @abstractmethod
    def mix(self, cursors: Sequence[CursorT], network_output: NetworkOutput) -> Floats:
        """The mixed distributions, (cursors, size), given the network's output. Raises Stale."""

    @abstractmethod
    def best(self, cursors: Sequence[CursorT], network_output: NetworkOutput) -> tuple[Ids, Floats]:
        """The most probable id of each row of `mix`, ties to the lowest, and its probability."""

    @abstractmethod
    def collect(self, index: IndexT, ids: Ids, probabilities: Floats) -> Collected:
        """Absorbs ids, and returns the candidates that there were before each of them.

        `probabilities` (ids, size) are the network's distributions at the same places.
        """
