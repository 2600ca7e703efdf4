"""Tokens: the first bytes of a stored value. They show a write whether the value has changed."""

TOKEN_SIZE = 8


def token_of(version: int) -> bytes:
    """The token of a version; the stored value of that version begins with it."""
    return version.to_bytes(TOKEN_SIZE, "big")


def token(value: bytes | None) -> bytes:
    """The token of a value, or empty for None; a write names it to replace that value."""
    return (value or b"")[:TOKEN_SIZE]
