"""nextchar.extras: what a verb says where the extra is not installed."""

import pytest

from nextchar.errors import UsageError
from nextchar.extras import training_extra


def test_a_missing_module_is_named_with_what_to_do() -> None:
    with pytest.raises(UsageError) as raised, training_extra("training needs"):
        import no_such_module_here  # type: ignore[import-not-found] # noqa: F401
    assert str(raised.value) == (
        "training needs no_such_module_here, which is not installed; "
        "install nextchar with its extra: pip install 'nextchar[train]'"
    )


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), training_extra("training needs"):
        _ = 1 / 0
