"""The compiled drive: where the library lies, and the structures that it shares with Python."""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

LIBRARY = Path(__file__).with_name("_drive.so")
# The version of the structures below, which drive.c states too. A library with another number was
# built from another version's source.
LAYOUT: Final = 2


class CFunctions(ctypes.Structure):
    """Functions of step.c and adapt.c, as addresses."""

    _fields_ = [
        ("step", c_void_p),
        ("predict", c_void_p),
        ("put", c_void_p),
        ("hidden_of", c_void_p),
        ("page_absorb", c_void_p),
        ("page_truncate", c_void_p),
        ("cursor_start", c_void_p),
        ("cursors_push", c_void_p),
        ("cursors_best", c_void_p),
    ]


class CJob(ctypes.Structure):
    """A text on its way; drive.c says what each field is. Those after `abandoned` are C's own."""

    _fields_ = [
        ("next", c_void_p),
        ("batch", c_int64),
        ("start", c_char_p),
        ("ids", c_void_p),
        ("cuts", c_void_p),
        ("count", c_int64),
        ("cut_count", c_int64),
        ("states", c_void_p),
        ("page", c_void_p),
        ("cursor", c_void_p),
        ("page_ids", c_void_p),
        ("page_length", c_int64),
        ("page_count", c_int64),
        ("continues", c_int64),
        ("replay", c_char_p),
        ("replay_count", c_int64),
        ("most_ids", c_int64),
        ("most_characters", c_int64),
        ("line_ends", c_int64 * 2),
        ("least_first", c_double),
        ("least", c_double),
        ("right", c_double),
        ("chosen", c_void_p),
        ("probability", c_void_p),
        ("kept", c_void_p),
        ("last_state", c_void_p),
        ("kept_most", c_int64),
        ("chosen_count", c_int64),
        ("kept_count", c_int64),
        ("steps_computed", c_int64),
        ("steps_reused", c_int64),
        ("joined", c_int64),
        ("decoding_since", c_int64),
        ("ended", c_int64),
        ("page_done", c_int64),
        ("fault", c_int64),
        ("abandoned", c_int64),
        ("progress", c_int64 * 9),
        ("state", c_void_p),
    ]


class CBatch(ctypes.Structure):
    """The jobs of one network that are under way or wait, and what they are computed with."""

    _fields_ = [
        ("functions", POINTER(CFunctions)),
        ("pool", c_void_p),
        ("capacity", c_int64),
        ("size", c_int64),
        ("padded_size", c_int64),
        ("characters", c_int64),
        ("units", c_int64),
        ("state_size", c_int64),
        ("kept_stride", c_int64),
        ("hidden", c_void_p),
        ("room", c_void_p),
        ("jobs", c_void_p),
        ("free", c_void_p),
        ("count", c_int64),
        ("waiting", c_void_p),
        ("last", c_void_p),
    ]


class CDrive(ctypes.Structure):
    """Batches, and the two queues."""

    _fields_ = [
        ("batches", POINTER(CBatch)),
        ("batch_count", c_int64),
        ("submitted", c_void_p),
        ("done", c_void_p),
        ("sleeping", c_int64),
        ("told", c_int64),
        ("stopping", c_int64),
        ("work_fd", c_int64),
        ("wake_fd", c_int64),
        ("done_fd", c_int64),
    ]


@cache
def library() -> ctypes.PyDLL | None:
    """The library; None where it was not built, or was built from another version's source.

    Its calls keep the interpreter's lock: they are short. `run` is the one that releases it.
    """
    try:
        found = ctypes.PyDLL(str(LIBRARY))
        if found.drive_layout() != LAYOUT:
            return None
    except (OSError, AttributeError):
        return None
    found.drive_start.argtypes = [c_void_p]
    found.drive_start.restype = None
    found.drive_submit.argtypes = [c_void_p, c_void_p, c_void_p]
    found.drive_submit.restype = None
    found.drive_collect.argtypes = [c_void_p]
    found.drive_collect.restype = c_void_p
    found.drive_stop.argtypes = [c_void_p]
    found.drive_stop.restype = None
    return found


@cache
def run() -> Callable[[int, int], None]:
    """The function `drive_run`, which releases the interpreter's lock while it computes."""
    found: Any = ctypes.CDLL(str(LIBRARY)).drive_run
    found.argtypes = [c_void_p, c_int32]
    found.restype = None
    return cast(Callable[[int, int], None], found)
