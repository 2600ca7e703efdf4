"""Sealed sessions: no typed text is readable in Redis, and no value opens for another session."""

import base64
import io
import zlib
from typing import Any

import pytest
import redis

from model.served import Runtime
from service.sessions.sealing import SEAL_OVERHEAD, Sealed, keys_of
from tests.service.running import comparable, one_error_line, reference, running

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VALUE = b"12345678 my secret text"
SECRET = "correct horse battery staple, nobody 😀"


def as_setting(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


def test_what_was_sealed_is_opened() -> None:
    seal = Sealed([NEW])
    assert seal.open("a/s", seal.close("a/s", VALUE)) == VALUE


@pytest.mark.parametrize("size", [8, 100, 16_000])
def test_sealing_adds_as_many_bytes_as_it_says(size: int) -> None:
    assert len(Sealed([NEW]).close("a/s", bytes(size))) == size + SEAL_OVERHEAD


def test_a_value_does_not_open_for_another_session_or_tenant() -> None:
    seal = Sealed([NEW])
    sealed = seal.close("a/s", VALUE)
    assert seal.open("b/s", sealed) is None
    assert seal.open("a/t", sealed) is None


@pytest.mark.parametrize("at", range(0, len(Sealed([NEW]).close("a/s", VALUE)), 3))
def test_a_value_with_one_bit_turned_does_not_open(at: int) -> None:
    seal = Sealed([NEW])
    damaged = bytearray(seal.close("a/s", VALUE))
    damaged[at] ^= 1
    assert seal.open("a/s", bytes(damaged)) is None


@pytest.mark.parametrize("value", [b"", b"short", VALUE, b"12345678sealed01" + b"x" * 40])
def test_foreign_values_do_not_open(value: bytes) -> None:
    assert Sealed([NEW]).open("a/s", value) is None


def test_a_key_that_was_rotated_out_still_opens_until_it_is_left_out() -> None:
    sealed = Sealed([OLD]).close("a/s", VALUE)
    assert Sealed([NEW, OLD]).open("a/s", sealed) == VALUE
    assert Sealed([NEW]).open("a/s", sealed) is None
    assert Sealed([OLD]).open("a/s", Sealed([NEW, OLD]).close("a/s", VALUE)) is None


def test_one_value_has_one_token_and_never_the_same_bytes() -> None:
    one, two = (Sealed([NEW]).close("a/s", VALUE) for _ in range(2))
    assert one[:8] == two[:8] != VALUE[:8]
    assert one != two


@pytest.mark.parametrize("text", ["", "abc", as_setting(b"short"), as_setting(NEW) + ",", "?" * 44])
def test_a_bad_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        keys_of(text)


async def test_nothing_typed_is_readable_in_redis(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    for sealed in (False, True):
        options["session_key"] = as_setting(NEW) if sealed else None
        async with running(**options, store=redis_url) as service:
            answer = await service.complete(session="s", prefix=SECRET)
            edit = {"version": answer["version"], "keep": len(SECRET), "append": "!"}
            answer = await service.complete(session="s", edit=edit)
            assert comparable(answer) == reference(runtime, SECRET + "!")
        with redis.Redis.from_url(redis_url) as client:
            (key,) = client.keys()
            value = client.get(key)
            dumped = client.dump(key)
            client.flushall()
        assert isinstance(value, bytes)
        assert isinstance(dumped, bytes)
        token = answer["version"].to_bytes(8, "big")
        assert (token in value) is not sealed
        assert (bytes.fromhex(runtime.fingerprint) in value) is not sealed
        pieces = (SECRET[i : i + 4].encode() for i in range(len(SECRET) - 4))
        readable = dumped + value + _unpacked(value)
        assert any(piece in readable for piece in pieces) is not sealed


async def test_keys_are_rotated_while_a_session_goes_on(
    options: dict[str, Any], redis_url: str, runtime: Runtime
) -> None:
    text, version = "import nu", None
    for keys in ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,)):
        options["session_key"] = as_setting(*keys)
        async with running(**options, store=redis_url) as service:
            change: dict[str, Any] = {"prefix": text}
            if version is not None:
                change = {"edit": {"version": version, "keep": len(text), "append": "x"}}
                text += "x"
            answer = await service.complete(session="s", **change)
            version = answer["version"]
            assert comparable(answer) == reference(runtime, text)


def test_a_bad_key_is_one_line_that_does_not_tell_it(checkpoint: Any) -> None:
    status, said = one_error_line(checkpoint=checkpoint, session_key="c2VjcmV0")
    assert status == 2
    assert said.startswith("nextchar: NEXTCHAR_SESSION_KEY: is refused: key 1 is not base64")
    assert said.count("\n") == 1
    assert "c2VjcmV0" not in said


def _unpacked(value: bytes) -> bytes:
    """Everything in a value that zlib can decompress, from any position."""
    found = io.BytesIO()
    for at in range(len(value)):
        if value[at] == 0x78:
            try:
                found.write(zlib.decompressobj().decompress(value[at:]))
            except zlib.error:
                continue
    return found.getvalue()
