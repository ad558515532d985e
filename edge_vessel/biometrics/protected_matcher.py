"""Does a capture show the eye of a protected template? Likely landmarks, then how they lie."""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.gallery import descriptors
from edge_vessel.biometrics.protection import (
    ProtectedTemplate,
    frames,
    packed,
    pose_bits,
    relative_pose,
)
from edge_vessel.biometrics.protection_key import (
    CODE_BITS,
    HOPS,
    POSE_BITS,
    POSE_NUMBERS,
    SLOTS,
    ProtectionKey,
)
from edge_vessel.biometrics.template import Template
from edge_vessel.errors import UsageError

_SCALES = np.geomspace(0.8, 1.25, 5)  # of the probe
_LIKELIEST = 4  # of the probe's landmarks, for each slot
_ROUNDS = 3
# What a relative pose is worth whose code differs in so many bits: 1 for none, 0 from a half on.
_WORTH = np.maximum(0, 1 - 2 * np.arange(POSE_BITS + 1) / POSE_BITS).astype(np.float32) ** 8
_HOP = np.arange(1, HOPS + 1)
_FAR = (np.arange(SLOTS)[:, None] + _HOP) % SLOTS

THRESHOLD = 6.5
"""The score from which the kiosk says `match`: above what non-mated pairs of RIDB and of synthetic
cameras showed, with the little to spare that they leave (docs/biometrics.md)."""


class Landmarks:
    """A probe's landmarks as if its eye were of five sizes; no key is needed yet."""

    def __init__(self, template: Template) -> None:
        self.descriptors = np.concatenate([descriptors(template, size) for size in _SCALES])
        self.place, self.direction = frames(template)


class ProtectedProbe:
    """A capture under one key, to be compared with templates under the same.

    It must not be kept: unlike a protected template it holds all landmarks under the projections of
    each slot, which shows how like each other they are.
    """

    def __init__(self, landmarks: Landmarks, key: ProtectionKey) -> None:
        self._key = key
        self._landmarks = landmarks
        self._codes = packed(np.matmul(landmarks.descriptors, key.projections) > 0)

    def compare(self, reference: ProtectedTemplate) -> float:
        """The score, without a unit: 0 where nothing fits, tens where all does. It is no likelihood
        ratio.

        Raises:
            UsageError: the reference is under another key.
        """
        if reference.key_id != self._key.identifier:
            raise UsageError(
                f"protected template: under key {reference.key_id.hex()}, not "
                f"{self._key.identifier.hex()}: revoked, or another subject's; enrol again"
            )
        return self.support(reference)

    def likeness(self, reference: ProtectedTemplate) -> NDArray[np.uint8]:
        """(5, 48, L) uint8: bits in which a landmark's code, at each size, agrees with a slot's."""
        alike = CODE_BITS - np.bitwise_count(self._codes ^ reference.codes[:, None])
        return np.asarray(alike.reshape(SLOTS, len(_SCALES), -1).swapaxes(0, 1))

    @property
    def widest_codes(self) -> NDArray[np.uint64]:
        """(2, 48, at most 48) uint64: at two sizes, from which 0.8 to 1.25 is never far, the codes
        under each slot's projections of the landmarks on the widest vessels."""
        codes = self._codes.reshape(SLOTS, len(_SCALES), -1)
        return np.asarray(codes[:, (1, 3), :SLOTS].swapaxes(0, 1))

    def support(self, reference: ProtectedTemplate) -> float:
        """The score, without asking for the key: what a thief of the template would try."""
        alike = self.likeness(reference)
        count = min(_LIKELIEST, alike.shape[2])
        if count < 2:
            return 0.0
        chosen = np.argpartition(alike, -count, axis=2)[:, :, -count:]
        worth = self._worth(chosen, reference)
        # A landmark is believed as far as its neighbours are that lie where they should.
        belief = np.ones(chosen.shape, np.float32)
        for _ in range(_ROUNDS):
            there = (worth * belief[:, _FAR][:, :, :, None]).max(axis=4).sum(axis=2)
            back = (worth * belief[:, :, None, :, None]).max(axis=3)
            held = there + sum(np.roll(back[:, :, hop - 1], hop, axis=1) for hop in _HOP)
            belief = np.tanh(held)
        # Of more landmarks more fit by chance.
        chance = np.sqrt(max(1.0, alike.shape[2] / SLOTS))
        return float(np.sqrt((held.max(axis=2) ** 2).sum(axis=1).max()) / chance)

    def _worth(self, chosen: NDArray[np.intp], reference: ProtectedTemplate) -> NDArray[np.float32]:
        """(5, 48, 4, C, C): of landmark and partner, chosen for a slot and the slots after it."""
        near, far = chosen[:, :, None, :, None], chosen[:, _FAR][:, :, :, None]
        place, direction = self._landmarks.place, self._landmarks.direction
        size = _SCALES.astype(np.float32)[:, None, None, None, None]
        pose = relative_pose(place[near] * size, direction[near], place[far] * size, direction[far])
        # All poses of two slots are one matrix product.
        of_slots = pose.transpose(1, 2, 0, 3, 4, 5)
        bits = pose_bits(of_slots.reshape(SLOTS, HOPS, -1, POSE_NUMBERS), self._key.waves)
        apart = np.bitwise_count(packed(bits) ^ reference.poses[:, :, None])
        worth = _WORTH[apart].reshape(of_slots.shape[:-1]).transpose(2, 0, 1, 3, 4)
        return np.where(near == far, np.float32(0), worth)


def compare(probe: Template, reference: ProtectedTemplate, key: ProtectionKey) -> float:
    """One to one; see `ProtectedProbe.compare`."""
    return ProtectedProbe(Landmarks(probe), key).compare(reference)
