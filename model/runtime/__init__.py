"""The runtime: a network in the served arithmetic, stepping many sessions at once.

ARITHMETIC.md is the specification; any backend gives the same bits on any machine.
"""

from model.runtime.backends import BackendError
from model.runtime.pool import Ids, Pool, Slots

__all__ = ["BackendError", "Ids", "Pool", "Slots"]
