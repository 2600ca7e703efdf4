"""Records as bytes: whole, or as if they were not there."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.sessions.record import decode, encode
from service.sessions.rules import WholeText
from service.stores.tokens import TOKEN_SIZE, token_of
from tests.service.recurrence import request

TEXT = "def main():\n    return 'é😀'\n" * 100
RECORD = request(None, WholeText(TEXT))
DATA = encode(RECORD)


def test_a_record_comes_back_whole() -> None:
    assert decode(DATA) == RECORD
    empty = request(None, WholeText(""))
    assert decode(encode(empty)) == empty


def test_a_record_begins_with_the_token_of_its_version() -> None:
    assert DATA[:TOKEN_SIZE] == token_of(RECORD.version)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_record(data: bytes) -> None:
    assert decode(data) is None


@given(st.integers(0, len(DATA) - 1))
def test_half_a_record_is_none(length: int) -> None:
    assert decode(DATA[:length]) is None
    assert decode(DATA + DATA[:length]) is None or length == 0


@settings(max_examples=300)
@given(st.integers(0, len(DATA) * 8 - 1))
def test_a_record_with_one_bit_turned_is_none(bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(damaged)) is None
