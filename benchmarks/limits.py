"""Measures the limits of a core: int8 multiply-adds a second, and bytes a second from L3."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import best_seconds
from model.runtime import native_library

SOURCE = Path(__file__).with_name("limits.c")
# How many turns of the loop one call of the multiply-adds makes.
MULTIPLY_TURNS = 100_000
# Larger than an L2 cache, smaller than a core's share of the L3 cache.
L3_BYTES = 8 * 2**20


class LimitsError(Exception):
    """Why a limit cannot be measured here, in one line."""


@dataclass(frozen=True)
class Limits:
    """The most that one core can do."""

    int8_multiply_adds_per_second: float
    l3_read_bytes_per_second: float


def measure(rounds: int) -> Limits:
    """Compiles the loops and runs them. Raises LimitsError where that is not possible."""
    compiled = native_library.compiled()
    if not {"vnni", "avx2"} & set(compiled):
        raise LimitsError("the core's limits are measured on x86-64 with AVX2 or VNNI only")
    library = _library()
    multiply = library[f"multiply_add_{compiled[0]}"]
    read = library["read_in_order"]
    for function in (multiply, read):
        function.restype = ctypes.c_int64
    multiply.argtypes = [ctypes.c_int64]
    read.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    room = np.ones(L3_BYTES, np.uint8)
    address = room.ctypes.data
    calls: dict[str, Callable[[], object]] = {
        "multiply": lambda: multiply(MULTIPLY_TURNS),
        "read": lambda: read(address, L3_BYTES),
    }
    seconds = best_seconds(calls, rounds)
    return Limits(multiply(MULTIPLY_TURNS) / seconds["multiply"], L3_BYTES / seconds["read"])


def _library() -> ctypes.CDLL:
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        raise LimitsError("the core's limits are loops in C: install a C compiler, cc in the path")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "limits.so"
        flags = ["-std=c11", "-O2", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(target)], check=True)
        return ctypes.CDLL(str(target))
