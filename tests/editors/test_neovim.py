"""The Neovim plugin in a real Neovim, against the real service."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from loadtest.servers import running_service
from model.typist import press
from tests.editors.conftest import EAGER
from tests.editors.editor import KEYS, Editor
from tests.editors.recording_proxy import RecordingProxy
from tests.editors.screen import Screen
from tests.tiny import save_tiny_checkpoint

ACCEPT = {"suggestion": "<Tab>", "word": "<C-Right>"}


def forty_lines(root: Path) -> str:
    """Real Python code that every clone of the repository has."""
    lines = (root / "loadtest" / "typist.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 40
    return "\n".join(lines[:40])


def type_as_a_typist(editor: Editor, text: str, begin: int, end: int) -> int:
    """Types up to `end` and accepts each right suggestion; returns how many it accepted."""
    taken = 0
    while begin < end:
        editor.until_answered()
        key = press(editor.status.get("shows") or "", text, begin)
        taken += key.accepts != "nothing"
        editor.press(ACCEPT.get(key.accepts) or KEYS.get(text[begin], text[begin]))
        begin += key.characters
        editor.until_text(text[:begin])
    return taken


def asked(proxy: RecordingProxy) -> list[str]:
    """The text before the cursor of each request."""
    return [body["prefix"] for body in proxy.bodies]


def test_a_file_typed_with_suggestions_taken_ends_as_the_original(
    python_checkpoint: Path, root: Path, tmp_path: Path, open_editor: Callable[..., Editor]
) -> None:
    text = forty_lines(root)
    with running_service(python_checkpoint, "memory://", 1, tmp_path) as (url, _):
        editor = open_editor(url)
        editor.press("i")
        taken = type_as_a_typist(editor, text, 0, len(text))
        assert editor.text == text
        assert taken > 10
        assert editor.complaints == ""


def test_typing_goes_on_when_the_service_is_killed(
    root: Path, tmp_path: Path, open_editor: Callable[..., Editor]
) -> None:
    text = forty_lines(root)
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    with running_service(checkpoint, "memory://", 1, tmp_path) as (url, pid):
        editor = open_editor(url)
        editor.press("i")
        type_as_a_typist(editor, text, 0, len(text) // 2)
        begin = len(editor.text)
        os.kill(pid, signal.SIGKILL)
        type_as_a_typist(editor, text, begin, len(text))
        editor.until_answered()
        assert editor.text == text
        assert editor.ghost == ""
        assert editor.complaints == ""
        assert "no connection" in editor.status["reason"]
        editor.press("<Esc>")
        said = editor.nvim.command_output("NextcharStatus")
        assert url in said
        assert "no connection" in said


def test_tab_takes_the_whole_suggestion(editor: Editor) -> None:
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press("<Tab>")
    editor.until_text("the " + ghost)


def test_a_word_is_taken_and_the_rest_stays(editor: Editor) -> None:
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press("<C-Right>")
    editor.until(lambda: editor.text != "the ", "a word is in the text")
    word = editor.text.removeprefix("the ")
    assert ghost.startswith(word)
    assert len(word.split()) == 1


def test_a_suggestion_does_not_flicker_while_it_is_typed(editor: Editor) -> None:
    screen = Screen(editor.nvim)
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    line = ("the " + ghost).rstrip()
    screen.frames()
    for character in ghost[:-1]:
        editor.type(character)
        frames = screen.frames()
        assert all(frame[0].startswith(line) for frame in frames), (line, frames)


def test_a_suggestion_that_typing_left_is_never_taken(editor: Editor) -> None:
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    other = "q" if ghost[0] != "q" else "z"
    # Both keys are in Neovim's queue before it can notify the plugin of the first one.
    editor.press(f"{other}<Tab>")
    editor.until_text(f"the {other}\t")


def test_a_suggestion_that_typing_followed_is_completed_not_doubled(editor: Editor) -> None:
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press(f"{KEYS.get(ghost[0], ghost[0])}<Tab>")
    editor.until_text("the " + ghost)


def test_a_late_answer_to_an_older_key_is_not_shown(proxied: Editor, proxy: RecordingProxy) -> None:
    proxied.press("i")
    proxied.until_ghost()
    proxy.gate.clear()
    proxied.type("t")
    proxied.until(lambda: asked(proxy)[-1:] == ["t"], "t is asked for")
    proxied.type("he")
    proxied.until(lambda: asked(proxy)[-1:] == ["the"], "the newest key is asked for")
    proxy.gate.set()
    ghost = proxied.until_ghost()
    proxied.press("<Tab>")
    proxied.until_text("the" + ghost)


@pytest.mark.parametrize(
    "mapping",
    [
        "vim.keymap.set('i', '<Tab>', function() return '[own]' end, { expr = true })",
        "vim.keymap.set('i', '<Tab>', '[own]', { buffer = true })",
        "vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ '[own]' }, 'c', false, true)"
        " end, { buffer = true })",
    ],
    ids=["expression", "buffer", "function"],
)
def test_tab_is_the_users_own_while_nothing_shows(editor: Editor, mapping: str) -> None:
    editor.lua(mapping)
    editor.press("i")
    editor.type("the ")
    ghost = editor.until_ghost()
    editor.press("<Tab>")
    editor.until_text("the " + ghost)
    editor.press("<Esc>")
    editor.until(lambda: editor.ghost == "", "nothing shows outside insert mode")
    editor.nvim.command("NextcharToggle")
    editor.press("A<Tab>")
    editor.until_text(f"the {ghost}[own]")


def test_nothing_shows_over_the_completion_menu(editor: Editor) -> None:
    editor.press("i")
    editor.type("alpha alpine al")
    editor.until_ghost()
    editor.press("<C-n>")
    editor.until(lambda: bool(editor.nvim.funcs.pumvisible()), "the menu is open")
    assert editor.ghost == ""
    assert "menu" in editor.status["reason"]
    editor.press("<C-e>")
    editor.until(lambda: not editor.nvim.funcs.pumvisible(), "the menu is closed")
    editor.until_ghost()


def test_what_stands_behind_the_cursor_is_not_suggested_again(
    proxied: Editor, proxy: RecordingProxy
) -> None:
    proxied.press("i")
    proxied.type("the ")
    ghost = proxied.until_ghost()
    proxied.press("<Tab><Esc>04l")
    proxied.until_text("the " + ghost)
    proxied.press("i")
    proxied.until(lambda: proxy.bodies[-1]["suffix"] == ghost, "the text behind is sent")
    assert asked(proxy)[-1] == "the "
    proxied.until_answered()
    assert proxied.ghost != ghost


def test_a_file_type_can_be_left_alone(service: str, open_editor: Callable[..., Editor]) -> None:
    editor = open_editor(service, request=EAGER, off=["text"])
    editor.nvim.command("set filetype=text")
    editor.press("i")
    editor.type("the ")
    assert editor.ghost == ""
    assert "option off" in editor.status["reason"]


def test_a_long_text_is_sent_from_a_line_that_seldom_moves(
    proxy: RecordingProxy, open_editor: Callable[..., Editor]
) -> None:
    editor = open_editor(proxy.url, request=EAGER, max_prefix=400)
    editor.nvim.current.buffer[:] = [f"line {number}" for number in range(200)]
    editor.press("Go")
    editor.type("some words that go on\n" * 12)
    editor.until_answered()
    assert all(len(prefix) <= 400 for prefix in asked(proxy))
    assert 2 <= len({prefix.partition("\n")[0] for prefix in asked(proxy)}) <= 3
    assert len({body["session"] for body in proxy.bodies}) == 1


def test_keys_do_not_cancel_the_first_reading_of_a_text(
    proxied: Editor, proxy: RecordingProxy
) -> None:
    proxied.nvim.current.buffer[:] = ["some text to read"]
    proxy.gate.clear()
    proxied.press("A")
    proxied.until(lambda: len(proxy.bodies) == 1, "the text is sent")
    proxied.type(" and on")
    assert proxied.status["waits"]
    proxy.gate.set()
    proxied.until_ghost()
    assert asked(proxy) == ["some text to read", "some text to read and on"]


def test_a_request_that_an_older_one_overtook_is_sent_again(
    proxied: Editor, proxy: RecordingProxy, service: str
) -> None:
    proxied.press("i")
    proxied.type("the ")
    proxied.until_ghost()
    proxy.statuses.clear()

    def send_the_first_again() -> None:
        while 409 not in proxy.statuses:
            httpx.post(f"{service}/complete", json=proxy.bodies[0])

    with ThreadPoolExecutor(1) as pool:
        overtaking = pool.submit(send_the_first_again)
        while 409 not in proxy.statuses:
            proxied.type("e")
            proxied.until(lambda: asked(proxy)[-1] == proxied.text, "the newest is asked for")
            proxied.until_answered()
        overtaking.result()
    proxied.until(lambda: proxy.statuses[-1] == 200, "the newest is answered")


def test_each_buffer_has_a_session_that_ends_with_it(
    proxied: Editor, proxy: RecordingProxy
) -> None:
    proxied.press("i")
    proxied.type("a")
    # Leaving a buffer cancels its request, perhaps before it was sent.
    proxied.until_ghost()
    proxied.press("<Esc>:enew!<CR>i")
    proxied.until_text("")
    proxied.type("b")
    proxied.until(lambda: len({b["session"] for b in proxy.bodies}) == 2, "two sessions")
    first, second = dict.fromkeys(b["session"] for b in proxy.bodies)
    proxied.press("<Esc>")
    proxied.nvim.command("bwipeout! %")
    proxied.until(lambda: f"/sessions/{second}" in proxy.deleted, "the session is deleted")
    assert first != second


def test_other_alphabets_and_tabs_stay_as_they_are(proxied: Editor, proxy: RecordingProxy) -> None:
    text = "naïve → 日本 \U0001d70b\n\tconst "
    proxied.nvim.current.buffer[:] = text.split("\n")
    proxied.press("GA")
    proxied.until(lambda: bool(proxy.bodies), "the editor asks")
    ghost = proxied.until_ghost()
    assert asked(proxy)[-1] == text
    proxied.press("<Tab>")
    proxied.until_text(text + ghost)
