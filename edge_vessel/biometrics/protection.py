"""Renewable templates (ISO/IEC 24745): bits under a key, of which a new key makes others.

A slot holds a landmark: the signs of 64 keyed +-1 projections of what surrounds it (descriptors of
gallery.py; sign hashing after Charikar, STOC 2002). Beside it, 4 x 32 bits hold how the next four
slots lie from there: signs of keyed, dithered cosines of the relative pose (Raginsky and Lazebnik,
NIPS 2009). Slots are ordered so that neighbours on the retina are neighbours here; the places
themselves are not stored.

Each slot has projections of its own. To who lacks the key each bit is then an even coin whatever
the eye, as a row of signs and its negative are as likely, and a phase is uniform: one template
under one key tells nothing. Two under one key can be laid beside each other.

| bytes | holds |
|---|---|
| 4, 1 | "EVRP"; version of the format, 1 |
| 8 | identifier of the key |
| 384 | 48 x uint64: what surrounds the landmark of a slot |
| 768 | 48 x 4 x uint32: how the slots 1, 2, 3 and 4 further (cyclic) lie from it |
| 4 | CRC-32 of all before it: damage, not forgery; sealing it is the store's matter |
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.gallery import descriptors
from edge_vessel.biometrics.protection_key import (
    CODE_BITS,
    HOPS,
    KEY_ID_BYTES,
    POSE_BITS,
    POSE_NUMBERS,
    SLOTS,
    ProtectionKey,
)
from edge_vessel.biometrics.template import Template, as_complex, positions
from edge_vessel.errors import ArtifactError

VERSION = 1
_REACH = 0.07  # diameters over which the codes of two places become unlike
_TURN = 1.5  # weight of the relative direction in the same unit
_HEADER = struct.Struct(f"<4sB{KEY_ID_BYTES}s")
_MAGIC = b"EVRP"
_CRC = struct.Struct("<I")
_CODES_BYTES = SLOTS * CODE_BITS // 8
_POSES_BYTES = SLOTS * HOPS * POSE_BITS // 8
BYTES = _HEADER.size + _CODES_BYTES + _POSES_BYTES + _CRC.size


@dataclass(frozen=True, eq=False)
class ProtectedTemplate:
    """key_id: whose bits they are. codes: (48,) uint64; poses: (48, 4) uint32."""

    key_id: bytes
    codes: NDArray[np.uint64]
    poses: NDArray[np.uint32]

    def to_bytes(self) -> bytes:
        """`BYTES`, as the table above has it."""
        content = _HEADER.pack(_MAGIC, VERSION, self.key_id)
        content += self.codes.astype("<u8").tobytes() + self.poses.astype("<u4").tobytes()
        return content + _CRC.pack(zlib.crc32(content))


def parse(content: bytes) -> ProtectedTemplate:
    """The template that `to_bytes` gave.

    Raises:
        ArtifactError: another length, format or version, a wrong checksum. No other error, whatever
            the bytes.
    """
    if len(content) != BYTES:
        raise _damaged(f"{len(content)} bytes; it has {BYTES}")
    magic, version, key_id = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise _damaged(f"starts with {magic!r}, not {_MAGIC!r}")
    if version != VERSION:
        raise ArtifactError(
            f"protected template: version {version} of the format; this reads {VERSION}: update "
            "edge_vessel"
        )
    if zlib.crc32(content[: -_CRC.size]) != _CRC.unpack(content[-_CRC.size :])[0]:
        raise _damaged("its checksum is wrong")
    middle = _HEADER.size + _CODES_BYTES
    codes = np.frombuffer(content[_HEADER.size : middle], "<u8").astype(np.uint64)
    poses = np.frombuffer(content[middle : -_CRC.size], "<u4").astype(np.uint32)
    return ProtectedTemplate(key_id, codes, poses.reshape(SLOTS, HOPS))


def protect(template: Template, key: ProtectionKey) -> ProtectedTemplate:
    """The template, merged of several captures or of one, under a key. Of more than 48 landmarks
    those seen in most captures stay, then those of the widest vessels; slots without one hold the
    key's random bits, so that their number does not show."""
    described = descriptors(template)
    chosen = slots_of(template, described)
    codes, poses = key.unused[0].copy(), key.unused[1].copy()
    count = len(chosen)
    arguments = np.matmul(described[chosen, None], key.projections[:count])[:, 0]
    codes[:count] = packed(arguments > 0)
    place, direction = frames(template)
    for hop in range(1, HOPS + 1):
        near = np.arange(SLOTS)
        far = (near + hop) % SLOTS
        both = (near < count) & (far < count)
        near, far = chosen[near[both]], chosen[far[both]]
        pose = relative_pose(place[near], direction[near], place[far], direction[far])
        bits = pose_bits(pose[:, None], key.waves[both, hop - 1])[:, 0]
        poses[both, hop - 1] = packed(bits)
    return ProtectedTemplate(key.identifier, codes, poses)


def frames(template: Template) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """(place as x + iy in diameters, direction in radians) of the landmarks, (L,) each."""
    turn = template.landmarks["direction"] * np.float32(2 * np.pi / 256)
    return as_complex(positions(template.landmarks)), np.asarray(turn, np.float32)


def relative_pose(
    place: NDArray[np.complex64],
    direction: NDArray[np.float32],
    other_place: NDArray[np.complex64],
    other_direction: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(..., 4) float32: how the other lies, seen from the first; its unit is that of `waves`."""
    away = (other_place - place) * np.exp(-1j * direction) / _REACH
    turned = np.asarray(other_direction - direction)
    parts = away.real, away.imag, _TURN * np.cos(turned), _TURN * np.sin(turned)
    return np.stack(parts, axis=-1).astype(np.float32)


def pose_bits(poses: NDArray[np.float32], waves: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(..., N, 32) bool: where cosines of `poses` (..., N, 4) under `waves` (..., 5, 32) are
    positive."""
    frequencies, phases = waves[..., :POSE_NUMBERS, :], waves[..., POSE_NUMBERS:, :]
    angle = np.matmul(poses, frequencies) + phases
    return np.asarray(
        np.floor(angle / np.float32(np.pi) + np.float32(0.5)).astype(np.int32) & 1 == 0
    )


def packed(bits: NDArray[np.bool_]) -> NDArray[Any]:
    """(...) uint32 or uint64: bits (..., 32 or 64), the first the lowest."""
    whole = np.ascontiguousarray(np.packbits(bits, axis=-1, bitorder="little"))
    word = f"u{whole.shape[-1]}"
    return np.asarray(whole.view(f"<{word}")[..., 0].astype(word))


def slots_of(template: Template, described: NDArray[np.float32]) -> NDArray[np.intp]:
    """(at most 48,) the landmarks that `protect` keeps, each beside the one before it.

    Args:
        described: their descriptors; one without a vessel around it is left out.
    """
    order = np.argsort(-template.landmarks["seen"].astype(int), kind="stable")[:SLOTS]
    left = list(order[np.any(described[order], axis=1)])
    place, _ = frames(template)
    chain = left[:1]
    left = left[1:]
    while left:
        chain.append(left.pop(int(np.abs(place[left] - place[chain[-1]]).argmin())))
    return np.array(chain, np.intp)


def _damaged(fault: str) -> ArtifactError:
    return ArtifactError(f"protected template: damaged: {fault}; enrol again")
