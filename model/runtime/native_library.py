"""The compiled library: where it lies, the structures it shares with Python, and its functions.

`step.c` is its source. It is a plain shared library beside this file, not an extension module, so
it works with every version of Python. ctypes releases the interpreter's lock during a call.
"""

import ctypes
from ctypes import POINTER, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

LIBRARY = Path(__file__).with_name("_step.so")

# The version of the structures below, which step.c states too. A library with another number was
# built from another version's source.
LAYOUT: Final = 8

# The bit of each backend in what `backends` in step.c returns, the fastest first.
BITS: Final = {"vnni": 4, "avx2": 2, "neon": 8, "portable": 1}

# What a call is asked for, and its faults, numbered as in step.c.
LOGITS, PROBABILITIES, BEST = range(3)
NONE, TOO_MANY, SLOT_OUT_OF_RANGE, SLOT_TWICE, ID_OUT_OF_RANGE, STATE_IMPOSSIBLE = range(6)
CELL_UNKNOWN: Final = 6

# The units of a group. The rows of one of its gates are a vector.
PANEL: Final = 16
# The most vectors that a panel has.
VECTORS: Final = 4
# Columns are padded to a multiple of the number that the kernels sum at a time.
COLUMNS_AT_ONCE: Final = 8


def row_bytes(columns: int) -> int:
    """The bytes of a row of hidden states that a matrix is multiplied with, as in step.c."""
    return 2 * columns + 64


class CProduct(ctypes.Structure):
    """A packed matrix."""

    _fields_ = [("weights", c_void_p), ("start", c_void_p), ("scale", c_void_p)]


class CLayer(ctypes.Structure):
    """A layer; `table` or `input` and `bias` are null."""

    _fields_ = [
        ("table", c_void_p),
        ("input", CProduct),
        ("bias", c_void_p),
        ("recurrent", CProduct),
        ("reset_bias", c_void_p),
    ]


class CContexts(ctypes.Structure):
    """The hashed contexts of a network."""

    _fields_ = [
        ("count", c_int64),
        ("width", c_int64),
        ("bits", c_int64),
        ("kinds", c_void_p),
        ("is_word", c_void_p),
        ("kept", c_void_p),
        ("ranks", c_void_p),
        ("rows", c_void_p),
        ("levels", c_void_p),
        ("nothing", c_void_p),
    ]


class CNetwork(ctypes.Structure):
    """A network; `contexts` is null where it has none."""

    _fields_ = [
        ("cell", c_int64),
        ("layers", c_int64),
        ("hidden", c_int64),
        ("size", c_int64),
        ("columns", c_int64),
        ("layer", POINTER(CLayer)),
        ("output", CProduct),
        ("output_bias", c_void_p),
        ("contexts", POINTER(CContexts)),
    ]


class CPool(ctypes.Structure):
    """A pool of states, and the memory that its calls work in."""

    _fields_ = [
        ("network", POINTER(CNetwork)),
        ("capacity", c_int64),
        ("stride", c_int64),
        ("states", c_void_p),
        ("slots", c_void_p),
        ("ids", c_void_p),
        ("seen", c_void_p),
        ("calls", c_int64),
        ("fault", c_int64),
        ("recurrent", c_void_p),
        ("below", c_void_p),
        ("numbers", c_void_p),
        ("rows", c_void_p),
        ("logits", c_void_p),
        ("best", c_void_p),
        ("probability", c_void_p),
    ]


@dataclass(frozen=True)
class Functions:
    """One backend's functions; each returns the number of a fault, 0 for none."""

    step: Any
    follow: Any
    absorb: Any
    predict: Any
    put: Any


@cache
def library() -> ctypes.CDLL | None:
    """The library; None where it was not built, or was built from another version's source."""
    try:
        found = ctypes.CDLL(str(LIBRARY))
        if found.layout() == LAYOUT:
            return found
    except (OSError, AttributeError):
        pass
    return None


def compiled() -> tuple[str, ...]:
    """The compiled backends that this processor runs, the fastest first."""
    found = library()
    if found is None:
        return ()
    bits = found.backends()
    return tuple(name for name, bit in BITS.items() if bits & bit)


@cache
def functions(backend: str) -> Functions:
    """The functions of one of the backends that `compiled` names."""
    found = library()
    assert found is not None
    names = ("step", "follow", "absorb", "predict")
    step, follow, absorb, predict = (found[f"{name}_{backend}"] for name in names)
    put = found["put"]
    step.argtypes = [c_void_p, c_int64]
    absorb.argtypes = [c_void_p, c_int64, c_void_p, c_void_p]
    follow.argtypes = predict.argtypes = [c_void_p, c_int64, c_int32]
    put.argtypes = [c_void_p, c_int64, ctypes.c_char_p]
    return Functions(step, follow, absorb, predict, put)
