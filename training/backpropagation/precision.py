"""The precision of the matrix products in training."""

from time import perf_counter

import torch

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
# A product is timed this often, and the shortest time counts. The first trial also loads the
# kernel.
TRIALS = 5


def choose_precision(name: str, streams: int, hidden: int, device: torch.device) -> torch.dtype:
    """The named precision. "auto" is bfloat16 on a GPU, else the faster one on this processor.

    A processor with bfloat16 dot products is about twice as fast with them. Any other one emulates
    them many times slower. Trying both takes milliseconds and needs no list of processors.
    """
    if name == "auto" and device.type != "cpu":
        return torch.bfloat16
    if name != "auto":
        return PRECISIONS[name]
    return min(PRECISIONS.values(), key=lambda precision: _seconds(precision, streams, hidden))


def _seconds(precision: torch.dtype, streams: int, hidden: int) -> float:
    """The time of one product of the size that an LSTM's step has."""
    h = torch.ones(streams, hidden, dtype=precision)
    W = torch.ones(hidden, 4 * hidden, dtype=precision)
    times = []
    for _ in range(TRIALS):
        begin = perf_counter()
        torch.mm(h, W)
        times.append(perf_counter() - begin)
    return min(times)
