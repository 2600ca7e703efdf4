"""What a terminal would show: the rows of Neovim's screen each time that it is drawn."""

from typing import Any

import pynvim

ROWS, COLUMNS = 10, 80


class Screen:
    """Attached to a running Neovim as its user interface."""

    def __init__(self, nvim: pynvim.Nvim) -> None:
        self._nvim = nvim
        self._cells = [[" "] * COLUMNS for _ in range(ROWS)]
        nvim.ui_attach(COLUMNS, ROWS, rgb=True, ext_linegrid=True)
        self.frames()

    def frames(self) -> list[list[str]]:
        """The rows at each drawing since the last call."""
        seen: list[list[str]] = []
        # When this notification arrives, everything drawn before it has arrived too.
        self._nvim.call("rpcnotify", self._nvim.channel_id, "looked")
        while (message := self._nvim.next_message())[1] != "looked":
            if message[1] == "redraw":
                for event, *calls in message[2]:
                    self._apply(event, calls, seen)
        return seen

    def _apply(self, event: str, calls: list[Any], seen: list[list[str]]) -> None:
        for call in calls:
            if event == "grid_line":
                self._write(*call[:4])
            elif event == "grid_clear":
                self._cells = [[" "] * COLUMNS for _ in range(ROWS)]
            elif event == "flush":
                seen.append(["".join(row) for row in self._cells])

    def _write(self, grid: int, row: int, column: int, cells: list[list[Any]]) -> None:
        for cell in cells:
            repeat = cell[2] if len(cell) > 2 else 1
            self._cells[row][column : column + repeat] = [cell[0]] * repeat
            column += repeat
