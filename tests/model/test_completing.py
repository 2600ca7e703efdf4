from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import load
from model.completing import complete
from model.decoding.next_step import next_characters
from model.decoding.options import Options
from model.errors import TextError
from model.served import Runtime
from model.vocabulary import Vocabulary
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder: Path = tmp_path_factory.mktemp("checkpoints") / "tiny"
    return Runtime(load(save_tiny_checkpoint(folder)))


def test_typing_what_was_suggested_suggests_the_rest(runtime: Runtime) -> None:
    options = Options(max_chars=30, min_confidence=0, by_value=False)
    whole = complete(runtime, "abc", options).completion
    assert len(whole.text) > 2
    for typed in range(1, len(whole.text)):
        rest = complete(runtime, "abc" + whole.text[:typed], options).completion
        shown = whole.text[typed:]
        assert rest.text.startswith(shown) or shown.startswith(rest.text)


def test_an_opening_is_read_before_every_text(runtime: Runtime) -> None:
    config = replace(runtime.checkpoint.config, opening="ab\n")
    opened = Runtime(replace(runtime.checkpoint, config=config))
    for text in ("", "abc", "x\ny"):
        expected = complete(runtime, "ab\n" + text, top=4)
        assert complete(opened, text, top=4) == expected
    assert complete(opened, "abc", top=4) != complete(runtime, "abc", top=4)


def test_the_empty_text_has_a_completion(runtime: Runtime) -> None:
    answer = complete(runtime, "", Options(min_confidence=0), top=3)
    assert len(answer.next) == 3
    assert answer.next[0][1] >= answer.next[1][1] >= answer.next[2][1] > 0


def test_the_first_suggested_character_is_the_most_probable_one(runtime: Runtime) -> None:
    answer = complete(runtime, "abc", Options(min_confidence=0), top=1)
    (character, probability), *_ = answer.next
    first = answer.completion.chars[0]
    assert (first.text, first.probability) == (character, probability)


def test_bytes_are_not_listed_as_next_characters() -> None:
    vocabulary = Vocabulary("ab")
    probabilities = np.full(vocabulary.size, 0.1, np.float32)
    assert [c for c, _ in next_characters(vocabulary, probabilities, 10)] == ["a", "b"]


def test_a_lone_surrogate_is_refused(runtime: Runtime) -> None:
    with pytest.raises(TextError):
        complete(runtime, "a\udc00")
