"""The shape of a network: its kinds of cell, and what config.json says of its architecture."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.vocabulary import Vocabulary

# All parameters of a network by name, as a checkpoint keeps them.
Weights = dict[str, NDArray[Any]]

Entry = TypeVar("Entry")

INT8, FLOAT32 = np.dtype(np.int8), np.dtype("<f4")


@dataclass(frozen=True)
class CellKind:
    """One kind of recurrent cell: its name, its parameters, and the state that is served.

    `title` is the name as people write it. U, W and b have `gates` · hidden rows, one gate after
    another; `biases` names the parameters beside them, each of shape (hidden,).

    `state` lists the arrays of one layer's state, each of shape (hidden,), with their types, in the
    order of their bytes. The first one is the hidden state h. As int8 it is in units of 1/127. As
    float32 it is rounded to these int8 wherever a matrix is multiplied with it.
    """

    name: str
    title: str
    gates: int
    state: tuple[tuple[str, np.dtype[Any]], ...]
    biases: tuple[str, ...] = ()

    @property
    def keeps_exact_h(self) -> bool:
        """Whether the state holds h as float32."""
        return self.state[0][1] == FLOAT32


# In the order of `enum cell` in step.c, where a kind's number is its place in this table.
CELL_KINDS = {
    kind.name: kind
    for kind in (
        CellKind("elman", "Elman", gates=1, state=(("h", INT8),)),
        CellKind("gru", "GRU", gates=3, state=(("h", FLOAT32),), biases=("c",)),
        CellKind("lstm", "LSTM", gates=4, state=(("h", INT8), ("c", FLOAT32))),
    )
}


def for_cell(table: Mapping[str, Entry], cell: str) -> Entry:
    """The entry of a table for a kind of cell.

    Every choice by kind goes through here, so that a kind that a table lacks is refused and never
    taken for another one. Raises ValueError, naming the kind.
    """
    if cell not in table:
        raise ValueError(f"cell: {cell!r} is none of {', '.join(table)}")
    return table[cell]


# A network may have these contexts: the last 2 to 16 ids, the word so far, and that word with the
# one before it.
CONTEXTS = (*(str(order) for order in range(2, 17)), "word", "words")

LONGEST_OPENING = 100


@dataclass(frozen=True)
class NetworkConfig:
    """Kind of cell, layers, hidden units of each layer, and the vocabulary that is read.

    `contexts` are hashed (`model.network.contexts`) to rows of `context_width` numbers in a table
    of 2^`context_bits` rows. The output layer reads these rows beside the hidden state.

    `opening` is read after the start symbol and before every text that is served. A line end as the
    opening tells a network that was trained on texts cut within lines that a line begins.

    Raises ValueError, naming the field, for a value that no network can have.
    """

    cell: str
    layers: int
    hidden: int
    characters: str
    byte_fallback: bool = True
    contexts: tuple[str, ...] = ()
    context_width: int = 0
    context_bits: int = 0
    opening: str = ""

    def __post_init__(self) -> None:
        for_cell(CELL_KINDS, self.cell)
        if not 1 <= self.layers <= 16:
            raise ValueError(f"layers: {self.layers} is not between 1 and 16")
        if not (16 <= self.hidden <= 4096 and self.hidden % 16 == 0):
            raise ValueError(f"hidden: {self.hidden} is no multiple of 16 from 16 to 4096")
        if not self.characters and not self.byte_fallback:
            raise ValueError("characters: a vocabulary needs characters or the byte fallback")
        # JSON has no tuples, so `contexts` comes from config.json as a list.
        object.__setattr__(self, "contexts", tuple(self.contexts))
        self._check_contexts()
        if not isinstance(self.opening, str) or len(self.opening) > LONGEST_OPENING:
            raise ValueError(f"opening: no text of at most {LONGEST_OPENING} characters")

    def _check_contexts(self) -> None:
        for name in self.contexts:
            if name not in CONTEXTS:
                raise ValueError(f"contexts: {name!r} is none of {', '.join(CONTEXTS)}")
        if len(set(self.contexts)) != len(self.contexts):
            raise ValueError("contexts: each is named once")
        width, bits = self.context_width, self.context_bits
        if not self.contexts:
            if width or bits:
                raise ValueError("context_width, context_bits: 0 where there are no contexts")
            return
        if not (4 <= width <= 64 and width % 4 == 0):
            raise ValueError(f"context_width: {width} is no multiple of 4 from 4 to 64")
        if not 16 <= bits <= 26:
            raise ValueError(f"context_bits: {bits} is not between 16 and 26")

    @property
    def kind(self) -> CellKind:
        """The kind of the network's cells; raises ValueError, naming it, where there is none."""
        return for_cell(CELL_KINDS, self.cell)

    @cached_property
    def layer_state(self) -> np.dtype[Any]:
        """The bytes of one layer's state, as a record of its arrays: little-endian, no padding."""
        return np.dtype([(name, kind, self.hidden) for name, kind in self.kind.state])

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.characters, self.byte_fallback)

    def to_json(self) -> dict[str, Any]:
        described = asdict(self) | {"contexts": list(self.contexts)}
        if not self.contexts:
            for name in ("contexts", "context_width", "context_bits"):
                del described[name]
        if not self.opening:
            del described["opening"]
        return described

    @property
    def beginning(self) -> list[int]:
        """The ids that are read before a text: the start symbol, and the opening."""
        vocabulary = self.vocabulary()
        return [vocabulary.start, *vocabulary.encode(self.opening).tolist()]

    @property
    def output_inputs(self) -> int:
        """How many numbers the output layer reads: the hidden state, and a row for each context."""
        return self.hidden + len(self.contexts) * self.context_width
