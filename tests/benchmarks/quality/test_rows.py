"""The typist in spans of documents, and the lead of one system over another."""

from pathlib import Path

import pytest

from benchmarks.quality.chains import Cut
from benchmarks.quality.rows import lead, type_spans, typed
from benchmarks.quality.texts import Span, TextSet, own_code, standard_library, text_set
from training.corpus import Document
from training.evaluation.timing import Milliseconds

TEXTS = TextSet("toy", ("a", "b"), ("xxxx" + "abcdefgh" + "yyyy", "0123456789abcdef"))
SPAN = Span(4, 12, 16)


def test_the_typist_types_the_span_and_is_shown_what_belongs_to_each_place() -> None:
    asked = []

    def complete(number: int, position: int) -> Cut:
        asked.append((number, position))
        text = TEXTS.texts[number]
        return Cut(text[position : position + 4] if number == 0 else "no", 0.9, 0.01)

    sessions = type_spans(TEXTS, SPAN, complete)
    assert asked == [(0, 4), (0, 8), *((1, position) for position in range(4, 12))]
    assert [(s.characters, s.keys) for s in sessions] == [(8, 2), (8, 8)]
    figures = typed("whole", sessions, Milliseconds(1, 2))
    assert figures.saved == (0.75, 0)
    assert figures.typist.keystrokes_saved == 1 - 10 / 16
    assert figures.typist.shown == 1
    assert figures.typist.accepted == 2 / 10


def test_a_lead_has_the_error_of_its_mean_over_documents() -> None:
    more, error = lead([0.5, 0.6, 0.7], [0.4, 0.4, 0.4])
    assert more == pytest.approx(0.2)
    assert error == pytest.approx(0.1 / 3**0.5)
    assert lead([0.5], [0.4])[1] == float("inf")


def test_documents_are_spread_over_those_that_are_long_enough() -> None:
    documents = [Document(Path(), str(n), "x" * n) for n in range(1, 31)]
    found = text_set("toy", documents, Span(5, 21, 100), 4)
    assert found.names == ("21", "23", "26", "28")
    with pytest.raises(ValueError, match="none of 30 documents has 31 characters"):
        text_set("toy", documents, Span(5, 31, 100), 4)


def test_a_digest_tells_texts_and_spans_apart() -> None:
    other = TextSet("toy", TEXTS.names, (TEXTS.texts[0], TEXTS.texts[1] + "g"))
    assert TEXTS.digest(SPAN) == other.digest(SPAN)
    assert TEXTS.digest(SPAN) != TEXTS.digest(Span(5, 12, 16))
    assert TEXTS.digest(Span(4, 12, 17)) != other.digest(Span(4, 12, 17))


@pytest.mark.parametrize(("begin", "end", "bits"), [(0, 5, 9), (5, 5, 9), (6, 5, 9), (1, 2, 0)])
def test_a_span_that_is_none_is_refused(begin: int, end: int, bits: int) -> None:
    with pytest.raises(ValueError):
        Span(begin, end, bits)


def test_the_sets_that_are_always_there_can_be_typed_in() -> None:
    library = text_set("python", standard_library(), Span(), 24)
    assert "argparse.py" not in library.names
    assert len(library.texts) > 10
    own = text_set("newer", own_code(), Span(), 24)
    assert len(own.texts) == 24
    assert all(name.endswith(".py") for name in own.names)
