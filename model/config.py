"""The shape of a network: what a checkpoint's config.json says of its architecture."""

from dataclasses import asdict, dataclass
from typing import Any

from model.vocabulary import Vocabulary

# For each kind of cell: how many gates its weights hold, and which arrays its state has.
GATES = {"elman": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class NetworkConfig:
    """Cell, layers and hidden units of each layer, and the vocabulary that is read and predicted.

    Raises ValueError, naming the field, for a value that no network can have.
    """

    cell: str
    layers: int
    hidden: int
    characters: str
    byte_fallback: bool = True

    def __post_init__(self) -> None:
        if self.cell not in GATES:
            raise ValueError(f"cell: {self.cell!r} is none of {', '.join(GATES)}")
        if not 1 <= self.layers <= 16:
            raise ValueError(f"layers: {self.layers} is not between 1 and 16")
        if not (16 <= self.hidden <= 4096 and self.hidden % 16 == 0):
            raise ValueError(f"hidden: {self.hidden} is no multiple of 16 from 16 to 4096")
        if not self.characters and not self.byte_fallback:
            raise ValueError("characters: a vocabulary needs characters or the byte fallback")

    @property
    def gates(self) -> int:
        return GATES[self.cell]

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.characters, self.byte_fallback)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
