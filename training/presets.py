"""Named settings of a training run: the network's shape and how it is optimised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

LATE = (0.4, 0.9)
"""Between these shares of a reading comes what is late."""


@dataclass(frozen=True)
class Preset:
    """One run's settings.

    `streams` texts are read side by side, `window` steps at a time (truncated backpropagation:
    the state goes on, the gradient ends at the window). `restart` is the mean number of characters
    after which a text is cut and read on from an empty state, so that the network has also learnt
    how to begin in the middle. `precision` is that of the products: bfloat16, float32 or auto,
    whichever is faster.

    `contexts` of the last characters and words reach the output layer as rows of `context_width`
    numbers, of which at most `context_rows` are kept in a table of 2^`context_bits`; they learn at
    `table_rate`, and take part in the last `table_readings` of the text, or in all where that is 0.

    After the warm-up the rate falls to zero as `decay` says, by a cosine or linearly. What is
    `late` is read between these shares of each reading. With `frozen` the recurrent layers stay as
    they are, which is for a network that has learnt.
    """

    cell: str
    layers: int
    hidden: int
    streams: int = 32
    window: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    warm_up: float = 0.02
    clip: float = 1.0
    restart: int = 4000
    precision: str = "auto"
    contexts: tuple[str, ...] = ()
    context_width: int = 0
    context_bits: int = 0
    context_rows: int = 0
    table_rate: float = 0.1
    table_readings: int = 0
    decay: str = "cosine"
    late: tuple[float, float] = LATE
    frozen: bool = False

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON has them: lists for tuples."""
        return {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(self).items()}


CONTEXTS = ("2", "3", "4", "5", "6", "8", "12", "word", "words")

WIDE = Preset(
    "lstm",
    1,
    512,
    streams=64,
    contexts=CONTEXTS,
    context_width=16,
    context_bits=25,
    context_rows=2_400_000,
)

AGAIN = replace(WIDE, learning_rate=6e-4, warm_up=0.01, decay="linear", late=(0.62, 0.97))

PRESETS = {
    "default": replace(WIDE, hidden=384, context_rows=2_600_000),
    "wide": WIDE,
    "long": replace(WIDE, streams=1024, learning_rate=4e-3, table_readings=10),
    "again": AGAIN,
    "tables": replace(AGAIN, frozen=True),
    "plain": Preset("lstm", 1, 512),
    "small": Preset("lstm", 1, 256),
    "large": Preset("lstm", 1, 1024, learning_rate=3e-3),
    "two-layers": Preset("lstm", 2, 384),
    "gru": Preset("gru", 1, 512),
    "elman": Preset("elman", 1, 512, learning_rate=2e-3),
    "tiny": Preset("lstm", 1, 64, streams=8, window=32, precision="float32"),
}
