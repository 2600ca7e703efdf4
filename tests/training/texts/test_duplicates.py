from tests.training.texts.made import code
from training.texts.duplicates import Duplicates


def test_a_document_is_admitted_once() -> None:
    duplicates = Duplicates()
    assert duplicates.admits(code(1))
    assert not duplicates.admits(code(1))
    assert duplicates.admits(code(2))


def test_a_copy_with_some_changes_is_a_repetition() -> None:
    duplicates = Duplicates()
    assert duplicates.admits(code(1, functions=10))
    changed = code(1, functions=10).replace("_b_0(", "_new(") + code(2, functions=2)
    assert not duplicates.admits(changed)


def test_a_document_that_quotes_another_is_new() -> None:
    duplicates = Duplicates()
    assert duplicates.admits(code(1, functions=2))
    assert duplicates.admits(code(2, functions=10) + code(1, functions=2))


def test_what_holds_a_part_of_held_out_text_is_refused() -> None:
    duplicates = Duplicates()
    duplicates.hold_out(code(1))
    assert not duplicates.admits(code(1))
    assert not duplicates.admits(code(2, functions=8) + code(1, functions=2))
    assert duplicates.admits(code(2, functions=8))


def test_what_is_refused_is_not_remembered() -> None:
    duplicates = Duplicates()
    duplicates.hold_out(code(1))
    assert not duplicates.admits(code(1) + code(2))
    assert duplicates.admits(code(2))


def test_a_kept_document_counts_as_read() -> None:
    duplicates = Duplicates()
    duplicates.keep(code(1))
    assert not duplicates.admits(code(1))


def test_a_licence_in_a_comment_is_read_once() -> None:
    duplicates = Duplicates()
    header = "# Copyright somebody.\n# Do as you like.\n"
    assert duplicates.without_header(f"{header}\nimport one\n") == f"{header}\nimport one\n"
    assert duplicates.without_header(f"{header}\nimport two\n") == "import two\n"
    assert duplicates.without_header("import three\n") == "import three\n"
