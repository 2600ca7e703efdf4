"""Imports that the base install does not have: what a verb says where they are missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from nextchar.errors import UsageError


@contextmanager
def training_extra(what_needs: str) -> Iterator[None]:
    """Holds the imports of a verb that needs the extra `train`.

    `what_needs` begins the message, as in "training needs". Raises UsageError where a module is
    missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{what_needs} {error.name}, which is not installed; "
            "install nextchar with its extra: pip install 'nextchar[train]'"
        ) from None
