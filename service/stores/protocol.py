"""What every store of sessions does: a few verbs over opaque values that begin with a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NAMESPACE = "nextchar:session:"


class StoreError(Exception):
    """The store does not answer, or not as it should: the one error of all backends.

    The message names the backend's own error, and never a value.
    """


@dataclass(frozen=True)
class Read:
    """A value to read, unless its token is `known`: that of a copy which the caller has."""

    key: str
    known: bytes = b""


@dataclass(frozen=True)
class Found:
    """What is held of a key; `current` where it is what the caller knows, and was not sent."""

    value: bytes | None
    current: bool = False


@dataclass(frozen=True)
class Write:
    """A value to set where the store still holds `expected`, the token that was read before.

    The token is the first TOKEN_SIZE bytes of a value; it is empty where nothing is held. A value
    whose own token is held already counts as expected too: that is this write, repeated.
    """

    key: str
    expected: bytes
    value: bytes


@dataclass(frozen=True)
class Outcome:
    """Whether a value was written, and what is held where it was not."""

    written: bool
    held: bytes | None = None


class Store(Protocol):
    """Sessions by key, each with a time to live that a write renews. All verbs raise StoreError.

    Where some of many calls fail and others do not, each of those has its error for a result.
    """

    def part_of(self, key: str) -> str:
        """The part of the store that holds a key; parts are reached, and fail, each by itself."""

    async def read_many(self, reads: Sequence[Read]) -> list[Found | StoreError]:
        """What is held of each."""

    async def write_many(self, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Compares and sets each, on its own; in the order given."""

    async def delete(self, key: str) -> None:
        """Leaves nothing of the key."""

    async def ping(self) -> None:
        """Returns when the store answers, and takes writes."""

    async def close(self) -> None:
        """Gives back all connections."""


def session_key(tenant: str, session: str) -> str:
    """The key of a tenant's session. No session id holds a slash, so no two share a key.

    The braces keep all that is ever stored of one session on one node of a cluster.
    """
    return f"{NAMESPACE}{{{tenant}/{session}}}"
