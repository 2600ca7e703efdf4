"""Stores of sessions behind one protocol; the scheme of the address chooses the backend."""

from urllib.parse import urlsplit

from service.stores.batches import BatchedStore, TimeBudget
from service.stores.cluster import ClusterStore
from service.stores.memory import MemoryStore
from service.stores.protocol import (
    Found,
    Outcome,
    Read,
    Store,
    StoreError,
    Write,
    session_key,
)
from service.stores.redis import RedisStore
from service.stores.tokens import token

__all__ = [
    "SCHEMES",
    "BatchedStore",
    "ClusterStore",
    "Found",
    "MemoryStore",
    "Outcome",
    "Read",
    "RedisStore",
    "Store",
    "StoreError",
    "TimeBudget",
    "Write",
    "open_store",
    "scheme_of",
    "session_key",
    "shown",
    "token",
]

CLUSTER_SCHEMES = ("redis+cluster://", "rediss+cluster://")
SCHEMES = ("memory://", "redis://", "rediss://", "unix://", *CLUSTER_SCHEMES)


def scheme_of(url: str) -> str:
    """The scheme of an address, which chooses the backend: `redis://…` gives `redis://`.

    It is one of SCHEMES if it is known.
    """
    return url.partition("://")[0] + "://"


def shown(url: str) -> str:
    """The address without user, password and query, so that it can be printed and logged."""
    parts = urlsplit(url)
    return f"{scheme_of(url)}{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_store(
    url: str,
    *,
    ttl_seconds: int,
    max_sessions: int,
    timeout_seconds: float,
    connections: int,
) -> Store:
    """The store at an address; raises ValueError for an address that no backend takes."""
    if scheme_of(url) == "memory://":
        return MemoryStore(max_sessions, ttl_seconds)
    if scheme_of(url) not in SCHEMES:
        raise ValueError(f"{shown(url)}: expected one of {', '.join(SCHEMES)}")
    kind = ClusterStore if scheme_of(url) in CLUSTER_SCHEMES else RedisStore
    return kind(
        url,
        ttl_seconds=ttl_seconds,
        timeout_seconds=timeout_seconds,
        connections=connections,
    )
