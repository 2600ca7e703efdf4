"""Named settings of a training run: the network's shape and how it is optimised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One run's settings.

    `streams` texts are read side by side, `window` steps at a time (truncated backpropagation:
    the state goes on, the gradient ends at the window). `restart` is the mean number of characters
    after which a text is cut and read on from an empty state, so that the network has also learnt
    how to begin in the middle. `precision` is that of the products: bfloat16, float32 or auto,
    whichever is faster.
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


PRESETS = {
    "default": Preset("lstm", 1, 512),
    "small": Preset("lstm", 1, 256),
    "large": Preset("lstm", 1, 1024, learning_rate=3e-3),
    "two-layers": Preset("lstm", 2, 384),
    "gru": Preset("gru", 1, 512),
    "elman": Preset("elman", 1, 512, learning_rate=2e-3),
    "tiny": Preset("lstm", 1, 64, streams=8, window=32, precision="float32"),
}
