"""Stores of sessions, one protocol; the scheme of the address chooses the backend."""

from urllib.parse import urlsplit

from service.stores.batches import BatchedStore
from service.stores.memory import MemoryStore
from service.stores.protocol import Outcome, Store, StoreError, Write, session_key, token
from service.stores.redis import RedisStore

__all__ = [
    "SCHEMES",
    "BatchedStore",
    "MemoryStore",
    "Outcome",
    "RedisStore",
    "Store",
    "StoreError",
    "Write",
    "open_store",
    "scheme_of",
    "session_key",
    "shown",
    "token",
]

SCHEMES = ("memory://", "redis://", "rediss://", "unix://")


def scheme_of(url: str) -> str:
    """The part of an address that chooses the backend, as in SCHEMES."""
    return url.partition("://")[0] + "://"


def shown(url: str) -> str:
    """The address without a user or password, for people and logs."""
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
    """The store at an address. Raises ValueError for an address that no backend takes."""
    if scheme_of(url) == "memory://":
        return MemoryStore(max_sessions, ttl_seconds)
    if scheme_of(url) not in SCHEMES:
        raise ValueError(f"{shown(url)}: expected one of {', '.join(SCHEMES)}")
    return RedisStore(
        url,
        ttl_seconds=ttl_seconds,
        timeout_seconds=timeout_seconds,
        connections=connections,
    )
