"""The protocol of a store of sessions: a few verbs over opaque values that begin with a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NAMESPACE = "nextchar:session:"


class StoreError(Exception):
    """The store does not answer, or answers with an error; all backends raise this one.

    The message gives the backend's own error, and never a value.
    """


@dataclass(frozen=True)
class Read:
    """A key to read. `known` is the token of a copy that the caller has, if there is one."""

    key: str
    known: bytes = b""


@dataclass(frozen=True)
class Found:
    """The value of a key, None where nothing is held.

    `current` tells that the caller's copy is what the store holds; the value is not sent then.
    """

    value: bytes | None
    current: bool = False


@dataclass(frozen=True)
class Write:
    """A value to set if the store still holds the value whose token is `expected`.

    The token is the first TOKEN_SIZE bytes of a value, and empty where nothing is held. The write
    is also made where the store holds the token of `value` itself: then it is a repetition, after
    a reply was lost.
    """

    key: str
    expected: bytes
    value: bytes


@dataclass(frozen=True)
class Outcome:
    """Whether a value was written; `held` is what the store holds where it was not."""

    written: bool
    held: bytes | None = None


class Store(Protocol):
    """Sessions by key, each with a time to live that a write renews. All verbs raise StoreError.

    A verb for many calls returns the error of a call as that call's result, where others succeed.
    """

    def part_of(self, key: str) -> str:
        """The name of the part that holds a key. Parts fail, and are waited for, independently."""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """The value of each key."""

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each value by itself, in the order given."""

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key."""

    async def ping(self) -> None:
        """Returns once the store has shown that it answers and takes writes."""

    async def close(self) -> None:
        """Closes all connections."""


def session_key(tenant: str, session: str) -> str:
    """The key of a tenant's session. A session's name has no slash, so no two share a key.

    The braces are a hash tag of Redis Cluster: keys with the same tag are on the same node.
    """
    return f"{NAMESPACE}{{{tenant}/{session}}}"
