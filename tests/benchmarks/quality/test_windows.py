"""How a transformer reads texts that are longer than its context."""

import pytest

from benchmarks.quality.transformer import windows


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [(0, 1, 1)]),
        (8, [(0, 1, 8)]),
        (9, [(0, 1, 8), (4, 8, 9)]),
        (20, [(0, 1, 8), (4, 8, 12), (8, 12, 16), (12, 16, 20)]),
    ],
)
def test_windows_overlap_by_half_a_context(
    count: int, expected: list[tuple[int, int, int]]
) -> None:
    assert windows(count, 8) == expected


@pytest.mark.parametrize("count", [2, 7, 8, 9, 31, 100])
def test_every_token_but_the_first_counts_once(count: int) -> None:
    counted = [t for begin, first, end in windows(count, 8) for t in range(first, end)]
    assert counted == list(range(1, count))
    assert all(end - begin <= 8 for begin, _, end in windows(count, 8))
