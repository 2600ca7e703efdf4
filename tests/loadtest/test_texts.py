"""The texts that are typed, in loadtest.texts."""

from pathlib import Path
from random import Random

import pytest

from loadtest.errors import LoadTestError
from loadtest.texts import MOST_OPENED_CHARACTERS, choose_passage, load_texts


def test_without_a_folder_the_standard_library_is_typed() -> None:
    texts = load_texts(None)
    assert len(texts) > 50
    assert any("import" in text for text in texts)


def test_a_folder_gives_its_texts_and_skips_other_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "prose.txt").write_text("word " * 200, encoding="utf-8")
    (tmp_path / "short.txt").write_text("word", encoding="utf-8")
    (tmp_path / "image.png").write_bytes(b"\x89\xff" * 500)
    assert load_texts(tmp_path) == ("word " * 200,)


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="no text to type"):
        load_texts(tmp_path)


def test_passages_begin_at_a_line_with_some_text_before() -> None:
    text = "".join(f"line {number} of the text\n" for number in range(1000))
    for seed in range(50):
        passage = choose_passage((text,), Random(seed))
        assert passage.text in text
        assert passage.opened <= MOST_OPENED_CHARACTERS
        assert passage.text[passage.opened :].startswith("line ")
        assert len(passage.text) - passage.opened >= len(text) // 4
