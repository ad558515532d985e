"""The key of protected templates: what it derives, and how a new one is made."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from edge_vessel.biometrics.keys import StoreKey
from edge_vessel.errors import UsageError

SLOTS = 48
HOPS = 4
CODE_BITS = 64
POSE_BITS = 32
POSE_NUMBERS = 4
RENEWAL_BYTES = 16
KEY_ID_BYTES = 8
_DESCRIPTOR = 64  # numbers


@dataclass(frozen=True)
class ProtectionKey:
    """`secret`: 32 bytes, never shown; whoever forgets it has revoked its templates."""

    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, store: StoreKey, renewal: bytes) -> "ProtectionKey":
        """A subject's key, or a gallery's. Another number is another key.

        Args:
            store: one that outlives a rotation of the store's key, as `Store.ledger_key` gives it;
                under another all templates are revoked.
            renewal: `RENEWAL_BYTES` random bytes, kept beside the template.

        Raises:
            UsageError: another length.
        """
        if len(renewal) != RENEWAL_BYTES:
            raise UsageError(f"renewal number: {len(renewal)} bytes; it has {RENEWAL_BYTES}")
        return cls(store.derive("protected template", renewal))

    @cached_property
    def identifier(self) -> bytes:
        """`KEY_ID_BYTES` that tell keys apart, and nothing of the secret."""
        return self._derived("identifier")[:KEY_ID_BYTES]

    @cached_property
    def projections(self) -> NDArray[np.float32]:
        """(48, 64, 64) float32, +-1: of each slot, from a descriptor to the bits' arguments."""
        count = SLOTS * _DESCRIPTOR * CODE_BITS
        bits = np.unpackbits(np.frombuffer(self._stream("projections", count // 8), np.uint8))
        return (bits.astype(np.float32) * 2 - 1).reshape(SLOTS, _DESCRIPTOR, CODE_BITS)

    @cached_property
    def waves(self) -> NDArray[np.float32]:
        """(48, 4, 5, 32) float32: of each pair of slots four normal frequencies, and a phase."""
        count = SLOTS * HOPS * POSE_BITS
        drawn = np.frombuffer(self._stream("waves", 4 * count * (POSE_NUMBERS + 1)), "<u4")
        shares = ((drawn + 0.5) / 2**32).reshape(POSE_NUMBERS + 1, SLOTS, HOPS, POSE_BITS)
        # Box and Muller, Annals of Mathematical Statistics 29(2), 1958.
        length = np.sqrt(-2 * np.log(shares[:2]))
        turn = 2 * np.pi * shares[2:4]
        parts = length * np.cos(turn), length * np.sin(turn), 2 * np.pi * shares[4:]
        return np.concatenate(parts).transpose(1, 2, 0, 3).astype(np.float32)

    @cached_property
    def unused(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """What codes (48,) and poses (48, 4) hold where there is no landmark."""
        codes = np.frombuffer(self._stream("unused codes", SLOTS * CODE_BITS // 8), "<u8")
        poses = np.frombuffer(self._stream("unused poses", SLOTS * HOPS * POSE_BITS // 8), "<u4")
        return codes.astype(np.uint64), poses.astype(np.uint32).reshape(SLOTS, HOPS)

    def _stream(self, purpose: str, size: int) -> bytes:
        cipher = Cipher(ChaCha20(self._derived(purpose), bytes(16)), mode=None)
        return cipher.encryptor().update(bytes(size))

    def _derived(self, purpose: str) -> bytes:
        return StoreKey(self.secret).derive(f"protected template, {purpose}", b"")
