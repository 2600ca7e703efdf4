"""A page is read to its text in parts, and cursors at the end of the same text stay valid."""

from pathlib import Path

import pytest

from model.adaptation import Page, window_start
from model.checkpoint import load
from model.served import Runtime
from service.batching.page_reading import PageReading
from tests.tiny import save_primed_checkpoint

TEXT = "def main(ab):\n    for x in names.items():\n        print(x, 'é😀')\n" * 200


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder: Path = tmp_path_factory.mktemp("checkpoints") / "primed"
    adaptation = Runtime(load(save_primed_checkpoint(folder))).adaptation
    assert adaptation is not None
    return adaptation.page()


def reading(page: Page, length: int, suffix: str = "") -> PageReading:
    return PageReading(page, TEXT[window_start(length) : length], length, suffix)


def test_a_page_is_read_to_its_text_in_parts_of_any_size(page: Page) -> None:
    for length, most in ((500, 100), (7, 1000), (12_000, 3001), (12_001, 1)):
        parts = reading(page, length)
        missing = parts.missing
        parts.read(most)
        while missing > most:
            missing -= most
            assert parts.missing == missing
            parts.read(most)
        assert parts.missing == 0
        assert page.text == TEXT[window_start(length) : length]


def test_only_what_is_not_on_the_page_is_missing(page: Page) -> None:
    page.follow(TEXT[:300])
    assert reading(page, 300).missing == 0
    assert reading(page, 310).missing == 10
    assert reading(page, 290).missing == 0
    # On a page, the lines after the cursor come before the text, so all of it must be read again.
    assert reading(page, 300, ")\nreturn x").missing > 300


def test_a_cursor_at_the_end_of_the_same_text_stays_valid(page: Page) -> None:
    first = reading(page, 200)
    first.read(200)
    cursor = first.cursor()
    second = reading(page, 200)
    second.read(200)
    cursor.push(1)
    second.cursor().push(1)


def test_a_page_that_holds_more_than_the_text_is_taken_back_to_it(page: Page) -> None:
    page.follow(TEXT[:300])
    parts = reading(page, 290)
    parts.read(16)
    assert page.text == TEXT[:290]
