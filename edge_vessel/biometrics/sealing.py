"""Secrets sealed under a key, each bound to its place (AES-256-GCM, NIST SP 800-38D)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Random nonces of 96 bits are safe for 2^32 seals under one key (SP 800-38D, 8.3).
NONCE_BYTES = 12


class BrokenSealError(Exception):
    """The bytes are not what was sealed under this key for this place."""


class Sealer:
    """One key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, content: bytes, place: bytes) -> bytes:
        """The nonce, then the ciphertext with its tag; `place` has to be named to open it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The content.

        Raises:
            BrokenSealError: another key or place, or changed bytes.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise BrokenSealError from error
