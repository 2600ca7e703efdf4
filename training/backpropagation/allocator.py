"""Keeps the memory of freed tensors in the process, which the C library would give back.

glibc returns blocks of over 128 KB to the system at once, and each new tensor of that size then
costs page faults.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Tells glibc's malloc to keep blocks of up to 1 GiB; elsewhere it does nothing."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
