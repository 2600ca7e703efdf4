"""Settings from the environment and from the command line."""

import re
from pathlib import Path

import pytest

from service.errors import StartupError
from service.settings import Settings, load


def test_each_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_environment_is_read_and_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCHAR_PORT", "9000")
    monkeypatch.setenv("NEXTCHAR_CHECKPOINT", "a, b/c")
    assert load().port == 9000
    assert load().checkpoint == (Path("a"), Path("b/c"))
    assert load(port=9001).port == 9001


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": "x"}, "NEXTCHAR_PORT: 'x' is refused: "),
        ({"checkpoint": ""}, "NEXTCHAR_CHECKPOINT: '' is refused: expected at least one folder"),
        ({"store": "ftp://u:secret@h"}, "NEXTCHAR_STORE: is refused: expected an address"),
        ({"workers": 3}, "NEXTCHAR_WORKERS: 3 workers cannot share memory://"),
    ],
)
def test_a_bad_one_is_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(StartupError) as refused:
        load(**given)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_misspelt_variable_is_named_with_the_setting_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEXTCHAR_PORT", "9000")
    monkeypatch.setenv("NEXTCHAR_STROE", "redis://secret@host")
    monkeypatch.setenv("NEXTCHAR_XYZ", "1")
    said = (
        "NEXTCHAR_STROE is no setting and changes nothing, did you mean NEXTCHAR_STORE?; "
        "NEXTCHAR_XYZ is no setting and changes nothing"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(said)}$"):
        assert load().port == 9000
