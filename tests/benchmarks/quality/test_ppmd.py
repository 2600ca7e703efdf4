"""PPMd's bits are those of a code that can be read again."""

import random

import pyppmd
import pytest

from benchmarks.quality.ppmd import MEMORY_BYTES, ORDER, compressed_bits


def test_what_repeats_costs_almost_nothing() -> None:
    bits, seconds = compressed_bits("abcdefgh" * 1000)
    assert 0 < bits < 8000 * 0.05
    assert seconds > 0


def test_random_letters_cost_their_entropy() -> None:
    letters = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=20_000))
    bits, _ = compressed_bits(letters)
    # log2 26 = 4.70, and what it takes to learn that nothing is to be learnt.
    assert 4.70 < bits / len(letters) < 5.2


@pytest.mark.parametrize(
    "text", ["twelve bytes", "Zwölf Boxkämpfer jagen Viktor über den Deich. " * 3]
)
def test_the_code_can_be_read_again(text: str) -> None:
    bits, _ = compressed_bits(text)
    data = text.encode()
    encoder = pyppmd.Ppmd8Encoder(ORDER, MEMORY_BYTES)
    code = encoder.encode(data) + encoder.flush(endmark=False)
    assert bits == 8 * len(code)
    assert pyppmd.Ppmd8Decoder(ORDER, MEMORY_BYTES).decode(code, len(data)) == data


def test_each_text_is_coded_from_nothing() -> None:
    assert compressed_bits("the same text")[0] == compressed_bits("the same text")[0]
