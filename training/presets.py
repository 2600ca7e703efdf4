"""Named settings of a training run: the network's shape, and how it is optimised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

# Late documents are read between these shares of an epoch. By then the learning rate has fallen,
# but it is still high enough to learn from them.
LATE_SHARES = (0.4, 0.9)


@dataclass(frozen=True)
class Preset:
    """One run's settings.

    `streams` texts are read side by side, `window` steps at a time (truncated backpropagation: the
    state is carried on, the gradient ends at the window's edge). A text is cut about every
    `restart` characters and read on from an empty state, so that the network also learns to begin
    in the middle. `precision` is that of the matrix products: bfloat16, float32, or auto for the
    faster one.

    `contexts` are the hashed contexts that the output layer reads. Each leads to a row of
    `context_width` numbers in a table of 2^`context_bits` rows, of which at most `context_rows` are
    kept. Rows learn at `table_rate`, in the last `table_readings` epochs only, or in all epochs
    where that is 0.

    The learning rate rises over the share `warm_up` of the budget, and then falls to zero in the
    form `decay`: "cosine" or "linear". Gradients are clipped at the norm `clip`. Late documents are
    read between the shares `late` of each epoch. With `frozen` the recurrent layers do not learn;
    this is for a network that is trained already.
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
    late: tuple[float, float] = LATE_SHARES
    frozen: bool = False

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON object, with lists in place of tuples."""
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

# Small steps for a finished network that reads its text once more.
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


def preset_named(name: str) -> Preset:
    """The preset of this name; raises ValueError where there is none."""
    if name not in PRESETS:
        raise ValueError(f"preset: {name!r} is none of {', '.join(PRESETS)}")
    return PRESETS[name]
