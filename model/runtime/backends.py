"""The backends that this machine has, and the choice among them."""

import warnings
from collections.abc import Callable

from model.errors import ModelError
from model.runtime import native_library
from model.runtime.native_backend import NativeNetwork, NativePool
from model.runtime.numpy_backend import NumpyPool
from model.runtime.pool import Pool
from model.runtime.quantized import QuantizedNetwork

AUTO = "auto"
NAMES = (*native_library.BITS, "numpy")


class BackendError(ModelError):
    """A backend that is not known, or that this machine cannot run."""


def available() -> tuple[str, ...]:
    """The backends that this machine runs, the fastest first; numpy is always the last of them."""
    return (*native_library.compiled(), "numpy")


def choose(wanted: str | None) -> str:
    """The backend of that name; for None and "auto", the fastest one that this machine runs.

    Raises BackendError for a backend that this machine cannot run. Warns where numpy is chosen only
    because there is no compiled backend.
    """
    found = available()
    if wanted not in (None, AUTO):
        if wanted not in NAMES:
            raise BackendError(f"backend: {wanted!r} is none of {', '.join((AUTO, *NAMES))}")
        if wanted not in found:
            missing = "the processor lacks it" if len(found) > 1 else "it was not built"
            raise BackendError(
                f"backend: {wanted} does not run here, for {missing}; there are {', '.join(found)}"
            )
        return wanted
    if found[0] == "numpy":
        warnings.warn(
            "the compiled backend was not built, so numpy computes: the same answers, 5 to 20 "
            "times slower; install a C compiler and then this package again",
            RuntimeWarning,
            stacklevel=3,
        )
    return found[0]


def pools(backend: str, network: QuantizedNetwork) -> Callable[[int], Pool]:
    """A function from a capacity to a pool, for a backend that `choose` gave."""
    if backend == "numpy":
        return lambda capacity: NumpyPool(network, capacity)
    native, functions = NativeNetwork(network, backend), native_library.functions(backend)
    return lambda capacity: NativePool(native, functions, capacity)
