"""Tokens: the first bytes of a stored value, by which a write tells whether it was overtaken."""

TOKEN_SIZE = 8


def token_of(version: int) -> bytes:
    """The token of a version; the stored value of that version begins with it."""
    return version.to_bytes(TOKEN_SIZE, "big")


def token(value: bytes | None) -> bytes:
    """The token of a value; a write names it to replace that value."""
    return (value or b"")[:TOKEN_SIZE]
