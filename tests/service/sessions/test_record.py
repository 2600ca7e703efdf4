"""Records as bytes: they are read whole or count as absent, and how much of a record fits."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sessions.digests import DIGEST_BLOCK
from service.sessions.record import (
    RECORD_LIMIT,
    RECORD_OVERHEAD,
    SNAPSHOT_OVERHEAD,
    SPARE_RECORD_BYTES,
    SPARE_SNAPSHOT_BYTES,
    STATE_LIMIT,
    as_stored,
    decode,
    encode,
    fit,
    pack,
    unpack,
)
from service.sessions.rules import WholeText, plan, settle
from service.sessions.sealing import Sealed
from service.stores.tokens import TOKEN_SIZE, token_of
from tests.service.recurrence import FINGERPRINT, request
from tests.service.sessions.texts import astral_text, random_text, typed_text

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


def test_what_fits_is_counted_with_the_overheads_of_records_and_snapshots() -> None:
    # With other overheads, other snapshots would fit, and stored records would have other bytes.
    assert (RECORD_OVERHEAD, SNAPSHOT_OVERHEAD) == (160, 24)
    stored = as_stored(RECORD)
    sealed = Sealed([bytes(32)]).close("t/s", encode(stored))
    snapshots = sum(
        SNAPSHOT_OVERHEAD - SPARE_SNAPSHOT_BYTES + len(s.state) for s in stored.snapshots
    )
    beside = RECORD_OVERHEAD - SPARE_RECORD_BYTES
    assert len(sealed) == beside + len(stored.packed) + snapshots


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1025, 2048, 5000, 12_287, 13_311, 150_000])
@pytest.mark.parametrize("text_of", [random_text, astral_text, typed_text])
def test_a_record_takes_at_most_16_kb(length: int, text_of: Callable[[int], str]) -> None:
    text = text_of(length)
    planned = plan(None, WholeText(text), FINGERPRINT, STATE_LIMIT)
    drawn = random.Random(0)
    record = settle(planned, [drawn.randbytes(STATE_LIMIT) for _ in planned.marks])
    sealed = Sealed([bytes(32)]).close("t/s", encode(as_stored(record)))
    assert len(sealed) <= RECORD_LIMIT
    assert decode(encode(as_stored(record))) == as_stored(record)
    assert as_stored(record).tail_start % DIGEST_BLOCK == 0
    assert length - as_stored(record).tail_start >= min(length, DIGEST_BLOCK)
    assert len(as_stored(record).snapshots) >= min(2, len(planned.marks))


@pytest.mark.parametrize("room", [0, 100, 5000, 8000])
def test_a_text_is_packed_into_the_room_that_there_is(room: int) -> None:
    text = random_text(9000)
    left_out, packed = fit(text, 500, room)
    assert unpack(packed) == text[left_out:]
    assert left_out % 500 == 0
    assert len(packed) <= room or left_out >= len(text)
    assert left_out == 0 or len(pack(text[left_out - 1000 :])) > room
