"""The precision of the products in training: whichever this processor multiplies faster."""

from time import perf_counter

import torch

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def choose_precision(name: str, streams: int, hidden: int, device: torch.device) -> torch.dtype:
    """The named precision, or for "auto" the faster of the two at this size of product.

    Processors with bfloat16 dot products do about twice as many of them; others emulate them,
    many times slower. Trying both takes some milliseconds and asks no list of processors. On a GPU
    "auto" is bfloat16.
    """
    if name == "auto" and device.type != "cpu":
        return torch.bfloat16
    if name != "auto":
        return PRECISIONS[name]
    return min(PRECISIONS.values(), key=lambda precision: _seconds(precision, streams, hidden))


def _seconds(precision: torch.dtype, streams: int, hidden: int) -> float:
    h = torch.ones(streams, hidden, dtype=precision)
    W = torch.ones(hidden, 4 * hidden, dtype=precision)
    times = []
    for _ in range(5):
        begin = perf_counter()
        torch.mm(h, W)
        times.append(perf_counter() - begin)
    return min(times)
