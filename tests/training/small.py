"""A network with contexts that learns within seconds."""

from dataclasses import replace

from training.presets import PRESETS

SMALL = replace(
    PRESETS["tiny"],
    hidden=32,
    streams=4,
    contexts=("2", "3", "5", "word", "words"),
    context_width=8,
    context_bits=16,
    context_rows=500,
)
