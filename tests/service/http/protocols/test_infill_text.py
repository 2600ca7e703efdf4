"""Which part of a file's window is read, if a client of llama.cpp sends it."""

import random

import pytest

from service.http.protocols.infill_text import EXTRA_CHARACTERS, WINDOW_LINES, text_before


def file_of(lines: int, seed: int = 0) -> list[str]:
    drawn = random.Random(seed)
    words = ("", "    return value", "def name(self):", "x = y + 1", "# a comment", "else:")
    return [f"{drawn.choice(words)} {drawn.randrange(lines // 4)}" for _ in range(lines)]


def window(lines: list[str], cursor: int, most: int = WINDOW_LINES) -> str:
    """The lines before the cursor's line, as llama.vim sends them."""
    return "\n".join(lines[max(0, cursor - most) : cursor]) + "\n"


def test_a_short_text_is_read_as_it_stands() -> None:
    assert text_before([], "import os\n\n", "def ma") == ("import os\n\ndef ma", False)
    assert text_before([], "", "") == ("", False)


def test_the_single_line_end_of_a_cursor_in_the_first_line_is_not_read() -> None:
    assert text_before([], "\n", "impo") == ("impo", False)
    assert text_before([], "\n\n", "impo") == ("\n\nimpo", False)


def test_nothing_is_cut_of_a_file_that_begins_in_the_window() -> None:
    lines = file_of(WINDOW_LINES)
    for cursor in (1, 100, WINDOW_LINES - 1):
        sent = window(lines, cursor)
        assert text_before([], sent, "x") == (sent + "x", False)


@pytest.mark.parametrize("most", [WINDOW_LINES, 512])
def test_a_window_that_moves_keeps_its_first_line_for_long(most: int) -> None:
    lines = file_of(3000)
    before = ""
    read = typed = 0
    for cursor in range(most, len(lines)):
        text, cut = text_before([], window(lines, cursor, most), lines[cursor])
        assert text.endswith(lines[cursor])
        assert len(text) > len(window(lines, cursor, most)) / 2 - 60
        assert cut or text.startswith(window(lines, cursor, most))
        if not text.startswith(before) or not before:
            read += len(text)
        typed += len(lines[cursor]) + 1
        before = text[: -len(lines[cursor])]
    # Reading every window again would be about a hundred times as much as what is typed.
    assert read < 6 * typed


def test_what_is_read_is_a_function_of_what_is_sent() -> None:
    lines = file_of(600)
    alone = [text_before([], window(lines, cursor), "") for cursor in range(300, 600, 7)]
    assert alone == [text_before([], window(lines, cursor), "") for cursor in range(300, 600, 7)]


def test_pieces_of_other_files_stand_before_a_short_text_the_latest_nearest() -> None:
    assert text_before(["one", "two\n"], "", "x") == ("one\n\ntwo\n\nx", False)
    long = "a" * (EXTRA_CHARACTERS - 2) + "\n"
    assert text_before(["old", long], "", "x") == (long + "\nx", True)
    assert text_before(["old", long + "a"], "", "x") == ("x", True)
    assert text_before(["one"], "b" * EXTRA_CHARACTERS, "") == (
        "one\n\n" + "b" * EXTRA_CHARACTERS,
        False,
    )
    assert text_before(["one"], "b" * EXTRA_CHARACTERS, "x") == ("b" * EXTRA_CHARACTERS + "x", True)
