"""How records are sealed, so that typed text cannot be read in Redis or in its dumps.

A sealed value is a head, a nonce, and the value encrypted by AES-256-GCM (NIST SP 800-38D). The
head is a token, MAGIC and the name of the operator's key. The head and the session's key in the
store are the associated data, so a value that was moved to another session or tenant cannot be
opened. Each session has its own key, derived from the operator's key, so that no key seals more
messages than GCM allows.
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.stores.tokens import TOKEN_SIZE

KEY_SIZE = 32
MAGIC = b"sealed01"
_NAME_SIZE = 4
_NONCE_SIZE = 12
_TAG_SIZE = 16
_HEAD_SIZE = TOKEN_SIZE + len(MAGIC) + _NAME_SIZE
# How many bytes sealing adds to a value.
SEAL_OVERHEAD = _HEAD_SIZE + _NONCE_SIZE + _TAG_SIZE


class Seal(Protocol):
    """The form in which records are kept in a store."""

    def close(self, session: str, value: bytes) -> bytes:
        """The value as it is stored. It begins with a token that depends on the value."""

    def open(self, session: str, sealed: bytes) -> bytes | None:
        """The value, or None if it was not sealed for this session with one of the keys."""


class Plain:
    """Values are stored as they are."""

    def close(self, session: str, value: bytes) -> bytes:
        return value

    def open(self, session: str, sealed: bytes) -> bytes | None:
        return sealed


class Sealed:
    """Values are sealed with the first key, and opened with the key that sealed them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_hash(b"name", key, b"", _NAME_SIZE): key for key in keys}
        self._name = next(iter(self._keys))

    def close(self, session: str, value: bytes) -> bytes:
        key = self._keys[self._name]
        # The plain token is the text's version. With it anyone could check whether a guess of the
        # text is right, so the token of the sealed value is a keyed hash.
        token = _hash(b"token", key, value[:TOKEN_SIZE], TOKEN_SIZE)
        head = token + MAGIC + self._name
        nonce = secrets.token_bytes(_NONCE_SIZE)
        return head + nonce + _cipher(key, session).encrypt(nonce, value, _bound(head, session))

    def open(self, session: str, sealed: bytes) -> bytes | None:
        head, rest = sealed[:_HEAD_SIZE], sealed[_HEAD_SIZE:]
        key = self._keys.get(head[-_NAME_SIZE:])
        if key is None or head[TOKEN_SIZE:-_NAME_SIZE] != MAGIC or len(rest) < _NONCE_SIZE:
            return None
        nonce, ciphertext = rest[:_NONCE_SIZE], rest[_NONCE_SIZE:]
        try:
            return _cipher(key, session).decrypt(nonce, ciphertext, _bound(head, session))
        except InvalidTag:
            return None


def keys_of(text: str) -> tuple[bytes, ...]:
    """The keys in a list separated by commas, each 32 bytes in base64; raises ValueError."""
    keys = []
    for number, part in enumerate(text.split(","), 1):
        try:
            key = base64.b64decode(part.strip(), altchars=b"-_", validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_SIZE:
            raise ValueError(f"key {number} is not base64 of {KEY_SIZE} bytes")
        keys.append(key)
    return tuple(keys)


def _cipher(key: bytes, session: str) -> AESGCM:
    """The cipher under the session's own key."""
    return AESGCM(_hash(b"session", key, session.encode(), KEY_SIZE))


def _bound(head: bytes, session: str) -> bytes:
    """The associated data."""
    return head + session.encode()


def _hash(purpose: bytes, key: bytes, data: bytes, size: int) -> bytes:
    return blake2b(data, key=key, digest_size=size, person=purpose).digest()
