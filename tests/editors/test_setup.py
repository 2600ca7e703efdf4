"""The options of the Neovim plugin: what is refused, and where the service may be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvim
import pytest

from tests.editors.conftest import EAGER
from tests.editors.editor import Editor
from tests.service.running import process
from tests.tiny import save_tiny_checkpoint


def refusal(editor: Editor, options: Any) -> str:
    """The error that setup raises."""
    with pytest.raises(pynvim.NvimError) as raised:
        editor.lua("require('nextchar').setup(...)", options)
    return str(raised.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", 8000),
        ("url", "localhost:8000"),
        ("url", "https://localhost:8000"),
        ("url", "http://::1:8000"),
        ("url", "http://[::1:8000"),
        ("url", "http://a:port"),
        ("accept", True),
        ("accept", ""),
        ("accept_word", ["<Tab>"]),
        ("off", "markdown"),
        ("off", [1]),
        ("off", {"markdown": True}),
        ("models", "python"),
        ("models", ["python"]),
        ("models", {"python": 1}),
        ("request", "max_chars"),
        ("request", ["max_chars"]),
        ("max_prefix", "8000"),
        ("max_prefix", -1),
        ("max_suffix", 1.5),
        ("menu_visible", True),
    ],
)
def test_an_option_of_a_wrong_kind_is_refused_by_its_name(
    editor: Editor, option: str, value: Any
) -> None:
    before = editor.status["url"]
    said = refusal(editor, {"url": "http://elsewhere", option: value})
    assert f"nextchar: option {option}: expected" in said
    assert editor.status["url"] == before


def test_an_unknown_option_is_refused_with_the_known_ones(editor: Editor) -> None:
    said = refusal(editor, {"max_prefxi": 8000})
    assert "nextchar: there is no option max_prefxi, only accept, " in said
    assert "max_prefix" in said
    assert "a table" in refusal(editor, "http://127.0.0.1:8000")


def test_options_that_are_right_are_taken_and_others_stay(editor: Editor) -> None:
    url = editor.status["url"]
    editor.lua("require('nextchar').setup()")
    editor.lua("require('nextchar').setup({ menu_visible = function() return false end })")
    right = {"accept": "<M-y>", "accept_word": False, "off": ["text"], "models": {"*": "tiny"}}
    editor.lua("require('nextchar').setup(...)", right | {"max_prefix": 400, "max_suffix": 0})
    assert editor.status["url"] == url
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press("<M-y>")
    editor.until_text("the " + ghost)


def test_a_service_at_an_address_of_ipv6_is_asked(
    tmp_path: Path, open_editor: Callable[..., Editor]
) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    with process(checkpoint=checkpoint, host="::1") as (url, _):
        assert url.startswith("http://[::1]:")
        editor = open_editor(url, request=EAGER)
        editor.press("i")
        editor.type("the ")
        editor.until_ghost()
