"""What the Neovim plugin inserts: repeated by `.` and macros, in any bytes, and undone at once."""

import random
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from loadtest.servers import running_service
from model.checkpoint import expected_shapes, save
from model.network.config import NetworkConfig
from tests.editors.conftest import EAGER
from tests.editors.editor import Editor
from tests.editors.recording_proxy import RecordingProxy

WITH_EACH_KEY = pytest.mark.parametrize("key", ["<Tab>", "<C-Right>"])
# Beginnings, ends and neighbours of what UTF-8 admits, and a byte of Latin-1.
ODD = [
    b"caf\xe9 ",
    b"\xc0\x80",
    b"\xe0\x9f\xbf",
    b"\xed\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xf0\x8f\xbf\xbf",
]
ODD += [b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xe2\x80", "naïve → 日本 \U0001d70b\n".encode()]


def take(editor: Editor, key: str) -> str:
    """Types, takes a suggestion and types on; returns what then stands in the line."""
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press(key)
    editor.until(lambda: editor.nvim.current.line != "the ", "the suggestion is taken")
    taken: str = editor.nvim.current.line
    assert ("the " + ghost).startswith(taken)
    editor.type("!")
    return taken + "!"


@WITH_EACH_KEY
def test_the_dot_repeats_what_was_taken(editor: Editor, key: str) -> None:
    editor.nvim.current.buffer[:] = ["", "", ""]
    editor.press("i")
    line = take(editor, key)
    editor.press("<Esc>j.j0.")
    editor.until_text(f"{line}\n{line}\n{line}")
    editor.press("uu")
    editor.until_text(f"{line}\n\n")
    assert editor.nvim.eval("v:errmsg") == ""


def test_a_count_repeats_what_was_taken(editor: Editor) -> None:
    editor.press("3i")
    line = take(editor, "<Tab>")
    editor.press("<Esc>")
    editor.until_text(line * 3)


@WITH_EACH_KEY
def test_a_macro_repeats_what_was_taken(editor: Editor, key: str) -> None:
    editor.nvim.current.buffer[:] = ["", "", "", ""]
    editor.press("qqi")
    line = take(editor, key)
    # What was taken was not typed, so nothing that is mapped or abbreviated acts on it.
    for character in set(line) - set("the !"):
        editor.lua("vim.keymap.set('i', ..., '[mapped]')", character)
    # All these keys are in Neovim's queue at once.
    editor.press("<Esc>qj0@qj0@@")
    editor.until_text(f"{line}\n{line}\n{line}\n")
    editor.press("j0.")
    editor.until_text("\n".join([line] * 4))
    assert editor.nvim.eval("v:errmsg") == ""


def test_a_macro_to_which_keys_are_added_repeats_what_was_taken(editor: Editor) -> None:
    editor.nvim.current.buffer[:] = ["", "", ""]
    editor.press("qqi<C-V><Tab><Esc>u0q")
    editor.press("qQi")
    line = take(editor, "<Tab>")
    editor.press("<Esc>qj0@q")
    editor.until_text(f"{line}\n{line}\n")


def test_a_macro_in_which_nothing_was_taken_stays_as_it_was_typed(editor: Editor) -> None:
    editor.press("qqi")
    editor.type("ab")
    editor.press("<Esc>q")
    editor.until(lambda: editor.nvim.funcs.getreg("q") == "iab\x1b", "the macro is kept")


def test_a_byte_that_is_no_utf_8_stays_and_does_not_hinder(
    proxied: Editor, proxy: RecordingProxy, tmp_path: Path
) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9 and \xe9 below\n\xe9\n")
    proxied.nvim.command(f"edit ++bin {tmp_path / 'latin'}")
    proxied.press("05li")
    proxied.type("the ")
    ghost = proxied.until_ghost()
    assert proxy.bodies[-1]["prefix"] == "caf\ufffd the "
    assert proxy.bodies[-1]["suffix"] == "and \ufffd below\n\ufffd"
    proxied.press("<Tab><Esc>")
    proxied.until_text(f"caf\udce9 the {ghost}and \udce9 below\n\udce9")
    proxied.nvim.command("write")
    line = b"caf\xe9 the " + ghost.encode() + b"and \xe9 below\n\xe9\n"
    assert (tmp_path / "latin").read_bytes() == line


def test_each_byte_that_is_no_utf_8_is_replaced_and_nothing_else(editor: Editor) -> None:
    drawn = random.Random(0)
    some = [b"".join(drawn.choices(ODD, k=3))[drawn.randrange(3) :] for _ in range(200)]
    some += [drawn.randbytes(30) for _ in range(200)]
    for text in [*ODD, *some]:
        found = editor.lua("return require('nextchar.utf8').replace(...)", text)
        kept = text.decode(errors="surrogateescape")
        assert found == "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in kept)


def test_a_replaced_byte_is_never_suggested(
    tmp_path: Path, open_editor: Callable[..., Editor]
) -> None:
    config = NetworkConfig("elman", 1, 16, "ab\ufffd", byte_fallback=False)
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(config).items()}
    save(tmp_path / "even", config, weights, {})
    with running_service(tmp_path / "even", "memory://", 1, tmp_path) as (url, _):
        for seed in range(20):
            drawn = {"temperature": 1, "seed": seed, "trigger": "manual"} | EAGER
            answer = httpx.post(f"{url}/complete", json=drawn | {"prefix": "a"}).json()
            before, odd, _ = answer["completion"].partition("\ufffd")
            if before and odd:
                break
        editor = open_editor(url, request=drawn)
        editor.press("i")
        editor.type("a")
        assert editor.until_ghost() == before
