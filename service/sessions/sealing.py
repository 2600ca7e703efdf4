"""Sessions sealed for the store: what someone types does not lie readable in Redis or its dumps.

A sealed value is a token, MAGIC, the name of the key, a nonce, and the value under AES-256-GCM
(NIST SP 800-38D), with all before it and the session's own key in the store as associated data: a
value that was moved to another session or tenant does not open. Each session has a key of its own,
derived from the one that was given, so that no key ever seals more messages than GCM allows.
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
_HEAD_SIZE = TOKEN_SIZE + len(MAGIC) + _NAME_SIZE


class Seal(Protocol):
    """How records are kept in a store."""

    def close(self, session: str, value: bytes) -> bytes:
        """The value as the store is to hold it; it begins with a token of the value's own."""

    def open(self, session: str, sealed: bytes) -> bytes | None:
        """The value, or None for what was not sealed for this session by a key at hand."""


class Plain:
    """Values as they are."""

    def close(self, session: str, value: bytes) -> bytes:
        return value

    def open(self, session: str, sealed: bytes) -> bytes | None:
        return sealed


class Sealed:
    """Values under the first of the keys; what any of them has sealed is opened."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_hash(b"name", key, b"", _NAME_SIZE): key for key in keys}
        self._name = next(iter(self._keys))

    def close(self, session: str, value: bytes) -> bytes:
        key = self._keys[self._name]
        # A version tells of its text to whoever can guess the text, so it is hidden as well.
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
    """The keys in a list separated by commas, each base64 of 32 bytes. Raises ValueError."""
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
    return AESGCM(_hash(b"session", key, session.encode(), KEY_SIZE))


def _bound(head: bytes, session: str) -> bytes:
    return head + session.encode()


def _hash(purpose: bytes, key: bytes, data: bytes, size: int) -> bytes:
    return blake2b(data, key=key, digest_size=size, person=purpose).digest()
