"""The requests that llama.vim and llama.vscode send to /infill, as their sources make them.

https://github.com/ggml-org/llama.vim, autoload/llama.vim, and
https://github.com/ggml-org/llama.vscode, src/completion.ts and src/llama-server.ts, read in
November 2026; with their default settings.
"""

from dataclasses import dataclass, field
from typing import Any

LINES_BEFORE = 256
LINES_AFTER = 64
MOST_PIECES = 16
LONGEST_SUFFIX = 8

VIM_FIELDS = [
    "content",
    "timings/prompt_n",
    "timings/prompt_ms",
    "timings/prompt_per_token_ms",
    "timings/prompt_per_second",
    "timings/predicted_n",
    "timings/predicted_ms",
    "timings/predicted_per_token_ms",
    "timings/predicted_per_second",
    "truncated",
    "tokens_cached",
]


@dataclass
class Buffer:
    """A file in an editor; the cursor is before `column` of `lines[row]`, both counted from 0."""

    lines: list[str]
    row: int
    column: int
    pieces: list[str] = field(default_factory=list)

    def type(self, text: str) -> None:
        """Types at the cursor."""
        for character in text:
            line = self.lines[self.row]
            before, after = line[: self.column], line[self.column :]
            if character == "\n":
                self.lines[self.row : self.row + 1] = [before, after]
                self.row, self.column = self.row + 1, 0
            else:
                self.lines[self.row] = before + character + after
                self.column += 1

    def delete(self, count: int) -> None:
        """Deletes before the cursor, within its line."""
        line = self.lines[self.row]
        self.lines[self.row] = line[: self.column - count] + line[self.column :]
        self.column -= count

    @property
    def line_before(self) -> str:
        return self.lines[self.row][: self.column]

    @property
    def line_after(self) -> str:
        return self.lines[self.row][self.column :]

    @property
    def lines_before(self) -> list[str]:
        return self.lines[max(0, self.row - LINES_BEFORE) : self.row]

    @property
    def lines_after(self) -> list[str]:
        return self.lines[self.row + 1 : self.row + 1 + LINES_AFTER]

    def take(self, piece: str) -> None:
        """Keeps a piece of a file for the context; if there are too many, the oldest is dropped."""
        self.pieces = [*self.pieces, piece][-MOST_PIECES:]


class Vim:
    """llama.vim: one request per keystroke, and one ahead, as if its suggestion was accepted."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer

    def request(self) -> dict[str, Any]:
        """What is asked at the cursor."""
        buffer = self.buffer
        line = buffer.lines[buffer.row]
        blank = not line.strip(" \t")
        prompt = "" if blank else buffer.line_before
        after = "" if blank else buffer.line_after
        indent = 0 if blank else len(line) - len(line.lstrip())
        return self._body(buffer.lines_before, prompt, after, indent, 250)

    def ahead(self, suggestion: str) -> dict[str, Any]:
        """What is asked, unseen, for the text with a suggestion of one line taken."""
        buffer = self.buffer
        line = buffer.lines[buffer.row]
        indent = len(line) - len(line.lstrip())
        return self._body(buffer.lines_before, line + suggestion, "", indent, 1000)

    def _body(
        self, lines: list[str], prompt: str, after: str, indent: int, milliseconds: int
    ) -> dict[str, Any]:
        suffix = [after, *self.buffer.lines_after]
        return {
            "id_slot": 0,
            "input_prefix": "\n".join(lines) + "\n",
            "input_suffix": "\n".join(suffix) + "\n",
            "input_extra": self._extra(),
            "prompt": prompt,
            "n_predict": 128,
            "stop": [],
            "n_indent": indent,
            "top_k": 40,
            "top_p": 0.9,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": milliseconds,
            "response_fields": VIM_FIELDS,
            "model": "",
        }

    def warm(self) -> dict[str, Any]:
        """What is sent when the pieces have changed."""
        return {
            "id_slot": 0,
            "input_prefix": "",
            "input_suffix": "",
            "input_extra": self._extra(),
            "prompt": "",
            "n_predict": 0,
            "temperature": 0.0,
            "samplers": [],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": 1,
            "t_max_predict_ms": 1,
            "response_fields": [""],
            "model": "",
        }

    def _extra(self) -> list[dict[str, Any]]:
        return [
            {"text": piece, "time": [-1, i], "filename": f"/home/a/{i}.py"}
            for i, piece in enumerate(self.buffer.pieces)
        ]


class VSCode:
    """llama.vscode: three alternatives, and one request ahead if nothing follows on the line."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer

    def request(self) -> dict[str, Any]:
        """What is asked at the cursor."""
        buffer = self.buffer
        before = buffer.line_before
        line = buffer.lines[buffer.row]
        indent = len(line) - len(line.lstrip())
        return self._body("" if not before.strip(" \t") else before, indent)

    def ahead(self, suggestion: str) -> dict[str, Any]:
        """What is asked, unseen, for the text with a suggestion of one line taken."""
        before = self.buffer.line_before
        return self._body(before + suggestion, len(before) - len(before.lstrip()))

    def warm(self) -> dict[str, Any]:
        """What is sent when the pieces have changed."""
        return {
            "id_slot": 0,
            "input_prefix": "",
            "input_suffix": "",
            "input_extra": self._extra(),
            "prompt": "",
            "n_predict": 0,
            "samplers": [],
            "cache_prompt": True,
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": 1,
        }

    def _body(self, prompt: str, indent: int) -> dict[str, Any]:
        buffer = self.buffer
        suffix = [buffer.line_after, *buffer.lines_after]
        return {
            "id_slot": 0,
            "input_prefix": "\n".join(buffer.lines_before) + "\n",
            "input_suffix": "\n".join(suffix) + "\n",
            "input_extra": self._extra(),
            "prompt": prompt,
            "n_predict": 128,
            "n_cmpl": 3,
            "top_k": 40,
            "top_p": 0.99,
            "stream": False,
            "samplers": ["top_k", "top_p", "infill"],
            "cache_prompt": True,
            **({"n_indent": indent} if indent else {}),
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": 2500,
        }

    def _extra(self) -> list[dict[str, Any]]:
        return [
            {"text": piece, "time": 1700000000000 + i, "filename": f"/home/a/{i}.py"}
            for i, piece in enumerate(self.buffer.pieces)
        ]
