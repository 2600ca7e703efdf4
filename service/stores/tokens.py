"""Tokens: the first bytes of a stored value, by which two writers of one session are told apart."""

TOKEN_SIZE = 8


def token_of(version: int) -> bytes:
    """The token of a value with this version, which it must begin with."""
    return version.to_bytes(TOKEN_SIZE, "big")


def token(value: bytes | None) -> bytes:
    """What a later write must name to take the place of this value."""
    return (value or b"")[:TOKEN_SIZE]
