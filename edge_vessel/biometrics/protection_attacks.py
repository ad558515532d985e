"""What a thief can do with protected templates: link two of them.

They measure the scheme, for its evaluation; a kiosk has no use for them. What a thief of the key
can draw is in protection_inversion.py.
"""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.protection import ProtectedTemplate
from edge_vessel.biometrics.protection_key import CODE_BITS, SLOTS, ProtectionKey


def likest_codes(first: ProtectedTemplate, second: ProtectedTemplate) -> float:
    """Without keys: bits that agree in the codes that agree best, in whatever order."""
    apart = np.bitwise_count(first.codes[:, None] ^ second.codes)
    return float(CODE_BITS * SLOTS - apart.min(axis=1).sum())


def likest_structure(first: ProtectedTemplate, second: ProtectedTemplate) -> float:
    """Without keys: how like the codes of a template are to each other, were they under one
    projection, would be the same under each key."""
    one, two = (_apart_within(each) for each in (first, second))
    return -float(np.abs(one - two).mean())


def likest_descriptors(
    first: tuple[ProtectedTemplate, ProtectionKey], second: tuple[ProtectedTemplate, ProtectionKey]
) -> float:
    """With both keys stolen: what surrounds the landmarks, estimated and compared."""
    one, two = (estimated_descriptors(*each) for each in (first, second))
    return float((np.maximum(one @ two.T, 0) ** 8).max(axis=1).sum())


def estimated_descriptors(protected: ProtectedTemplate, key: ProtectionKey) -> NDArray[np.float32]:
    """(48, 64) of length 1: the sum of a slot's projections, each with its bit as a sign."""
    bits = np.unpackbits(
        protected.codes.astype("<u8").view(np.uint8).reshape(SLOTS, -1), axis=1, bitorder="little"
    )
    sums = np.matmul(key.projections, (bits.astype(np.float32) * 2 - 1)[:, :, None])[:, :, 0]
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)


def _apart_within(protected: ProtectedTemplate) -> NDArray[np.float64]:
    apart = np.bitwise_count(protected.codes[:, None] ^ protected.codes)
    return np.sort(apart[np.triu_indices(SLOTS, 1)]).astype(float)
