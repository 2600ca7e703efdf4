"""Keeps the memory of freed tensors in the process.

By default glibc returns a freed block of over 128 KB to the system at once. Every new tensor of
that size then costs page faults.
"""

import ctypes
import sys

# Two options of mallopt, and their values.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MMAP_BYTES = 1 << 30
_TRIM_BYTES = (1 << 31) - 1


def keep_freed_memory() -> None:
    """Makes glibc's malloc keep blocks of up to 1 GiB; does nothing with another C library."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
