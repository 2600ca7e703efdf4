"""The protocol of a session store: a few methods over opaque values that begin with a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NAMESPACE = "nextchar:session:"


class StoreError(Exception):
    """The store does not answer, or answers with an error; all backends raise this error.

    The message quotes the backend's own error, but never a value.
    """


@dataclass(frozen=True)
class Read:
    """A key to read. `known` is the token of the caller's copy, or empty if it has none."""

    key: str
    known: bytes = b""


@dataclass(frozen=True)
class Found:
    """The value of a key, or None if the store holds nothing.

    If `current` is true, the caller's copy is what the store holds, and `value` is None.
    """

    value: bytes | None
    current: bool = False


@dataclass(frozen=True)
class Write:
    """A value to set if the store still holds the value whose token is `expected`.

    The token is the first TOKEN_SIZE bytes of a value; it is empty if the store must hold nothing.
    The write also succeeds if the store already holds the token of `value` itself. Then the same
    write was made before, and its reply was lost.
    """

    key: str
    expected: bytes
    value: bytes


@dataclass(frozen=True)
class Outcome:
    """Whether a value was written; if not, `held` is what the store holds."""

    written: bool
    held: bytes | None = None


class Store(Protocol):
    """Sessions by key, each with a time to live that a write renews. The calls raise StoreError.

    `read_many` and `write_many` can also fail in part: they then return the StoreError of a key in
    the place of its result.
    """

    def part_of(self, key: str) -> str:
        """The name of the part that holds a key. Each part may fail or be slow on its own."""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key."""

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value independently, in the given order."""

    async def delete(self, key: str) -> None:
        """Deletes the key."""

    async def ping(self) -> None:
        """Returns once the store has shown that it can serve sessions."""

    async def close(self) -> None:
        """Closes all connections."""


def session_key(tenant: str, session: str) -> str:
    """The key of a tenant's session. A session's name has no slash, so every key is unique.

    The braces are a hash tag of Redis Cluster: keys with the same tag are on the same node.
    """
    return f"{NAMESPACE}{{{tenant}/{session}}}"
