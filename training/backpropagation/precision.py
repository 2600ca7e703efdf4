"""The precision of the matrix products in training."""

from time import perf_counter

import torch

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
# The best of a few trials is a product's time; the first one also loads the kernel.
TRIALS = 5


def choose_precision(name: str, streams: int, hidden: int, device: torch.device) -> torch.dtype:
    """The named precision; for "auto" the one that is faster here, on a GPU always bfloat16.

    Processors with bfloat16 dot products do about twice as many of them in a second; others emulate
    them, many times slower. Trying both takes milliseconds and needs no list of processors.
    """
    if name == "auto" and device.type != "cpu":
        return torch.bfloat16
    if name != "auto":
        return PRECISIONS[name]
    return min(PRECISIONS.values(), key=lambda precision: _seconds(precision, streams, hidden))


def _seconds(precision: torch.dtype, streams: int, hidden: int) -> float:
    """The time of one product of the size that a step of the recurrent layer has."""
    h = torch.ones(streams, hidden, dtype=precision)
    W = torch.ones(hidden, 4 * hidden, dtype=precision)
    times = []
    for _ in range(TRIALS):
        begin = perf_counter()
        torch.mm(h, W)
        times.append(perf_counter() - begin)
    return min(times)
