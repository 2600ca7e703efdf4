"""fitting: which candidates can be compared by the text behind the cursor."""

import pytest

from model.decoding.fitting import joins
from model.decoding.options import Options
from tests.model.decoding.test_candidate import fed


@pytest.mark.parametrize(
    ("text", "suffix", "joined"),
    [
        ("abc\n", "\nd", True),
        ("abc\n", "  \nd", True),
        ("abc\n", "", True),
        ("abc\n", " d", False),
        ("abc d", " d\n", True),
        ("abc", "\nd", False),
        ("ab.-c", "\nd", True),
        ("ab.-c", " d", True),
    ],
)
def test_a_candidate_joins_where_the_suffix_would_follow_it(
    text: str, suffix: str, joined: bool
) -> None:
    options = Options(suffix=suffix, stop=(".-",), by_value=False)
    assert joins(fed(text, options), suffix) == joined


def test_lines_that_end_where_the_indentation_falls_back_join_the_next_line() -> None:
    lines = Options(max_chars=100, max_lines=9, suffix="\nxyz")
    assert joins(fed("a\n  b\nc", lines, before="  "), lines.suffix)
