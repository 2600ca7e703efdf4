"""Imports that need an extra, and the error where that extra is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from nextchar.errors import UsageError


@contextmanager
def training_extra(what_needs: str) -> Iterator[None]:
    """A `with` block for the imports of a verb that needs the extra `train`.

    Raises UsageError where a module is missing. Its message begins with `what_needs`, such as
    "training needs".
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{what_needs} {error.name}, which is not installed; "
            "install nextchar with its extra: pip install 'nextchar[train]'"
        ) from None
