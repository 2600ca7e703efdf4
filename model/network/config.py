"""The shape of a network: what a checkpoint's config.json says of its architecture."""

from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from model.vocabulary import Vocabulary

# All parameters of a network by name, as a checkpoint keeps them.
Weights = dict[str, NDArray[Any]]

# For each kind of cell: how many gates its weights hold, and which arrays its state has.
GATES = {"elman": 1, "gru": 3, "lstm": 4}

CONTEXTS = (*(str(order) for order in range(2, 17)), "word", "words")
"""The contexts a network may have: the last 2 to 16 ids, the word so far, with the one before."""

LONGEST_OPENING = 100


@dataclass(frozen=True)
class NetworkConfig:
    """Cell, layers and hidden units of each layer, and the vocabulary that is read and predicted.

    `contexts` are hashed (`model.network.contexts`) to rows of `context_width` numbers in a table
    of 2^`context_bits` rows, which the output layer reads beside the hidden state.

    `opening` is read before every text that is served, after the start symbol: a line end tells a
    network that was trained on texts cut within lines that here a line begins.

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
        if self.cell not in GATES:
            raise ValueError(f"cell: {self.cell!r} is none of {', '.join(GATES)}")
        if not 1 <= self.layers <= 16:
            raise ValueError(f"layers: {self.layers} is not between 1 and 16")
        if not (16 <= self.hidden <= 4096 and self.hidden % 16 == 0):
            raise ValueError(f"hidden: {self.hidden} is no multiple of 16 from 16 to 4096")
        if not self.characters and not self.byte_fallback:
            raise ValueError("characters: a vocabulary needs characters or the byte fallback")
        # JSON knows no tuples.
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
    def gates(self) -> int:
        return GATES[self.cell]

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
        """How many numbers the output layer reads: the hidden state, and a row a context."""
        return self.hidden + len(self.contexts) * self.context_width
