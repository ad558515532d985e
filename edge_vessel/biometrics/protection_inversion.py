"""With a stolen key: how much of an eye does its protected template give back?

It measures the scheme, for its evaluation; a kiosk has no use for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics import protection
from edge_vessel.biometrics.enrolment import moved
from edge_vessel.biometrics.gallery import RINGS, SECTORS, descriptors
from edge_vessel.biometrics.matcher import compare as compare_plain
from edge_vessel.biometrics.protected_matcher import compare
from edge_vessel.biometrics.protection import ProtectedTemplate, frames, protect, slots_of
from edge_vessel.biometrics.protection_attacks import estimated_descriptors
from edge_vessel.biometrics.protection_key import HOPS, POSE_BITS, SLOTS, ProtectionKey
from edge_vessel.biometrics.similarity import Similarity, fit
from edge_vessel.biometrics.template import (
    GRID,
    LANDMARK,
    MAX_SAMPLES,
    SAMPLE,
    Template,
    quantised,
)

_LONGEST = 0.4  # diameters between two slots that are tried
_STEP = 0.03
_DIRECTIONS = 24
_PLAUSIBLE_BITS = 4  # a random code is further from each pose that is tried, most times
_HYPOTHESES_AT_ONCE = 4096
_TURNS = 12  # in which what was drawn is laid on an eye: registration finds 30 degrees itself


@dataclass(frozen=True)
class Inversion:
    """What a stolen template and its key give back.

    slots: whose place was found, of 48.
    places, directions: of those, (N,) complex and radians, in a frame of their own.
    template: those landmarks, and the vessels drawn around them.
    """

    slots: NDArray[np.intp]
    places: NDArray[np.complex64]
    directions: NDArray[np.float32]
    template: Template


def invert(protected: ProtectedTemplate, key: ProtectionKey) -> Inversion:
    """Tries all relative poses of neighbours, chains the likeliest from slot to slot, and draws at
    each the cells of its estimated descriptor."""
    away, turned, apart = _decoded(protected, key)
    directions = {0: 0.0}
    for slot in range(1, SLOTS):
        known = [
            (int(apart[slot - hop, hop - 1]), slot - hop, hop - 1)
            for hop in range(1, HOPS + 1)
            if slot - hop in directions
        ]
        bits, before, hop = min(known, default=(POSE_BITS, 0, 0))
        if bits <= _PLAUSIBLE_BITS:
            directions[slot] = directions[before] + float(turned[before, hop])
    slots = np.array(sorted(directions), np.intp)
    turns = np.array([directions[slot] for slot in sorted(directions)], np.float32)
    places = _laid_out(slots, away[slots] * np.exp(1j * turns)[:, None], apart[slots])
    drawn = _drawn(estimated_descriptors(protected, key)[slots], places, turns)
    return Inversion(slots, places, turns, drawn)


@dataclass(frozen=True)
class Inverted:
    """How near an inversion came.

    slots: whose place was found.
    place_error: median distance in diameters from the true places, laid on them by least squares.
    likeness: median cosine between true and estimated descriptors.
    plain_score: of what was drawn against another capture's template in the clear.
    renewed_score: against another capture's under a new key.
    """

    subject: str
    slots: int
    place_error: float
    likeness: float
    plain_score: float
    renewed_score: float


def inverted(
    subject: str,
    stolen: tuple[Template, ProtectionKey],
    other: tuple[Template, ProtectionKey],
) -> Inverted:
    """Inverts a template of the eye and tries it on another capture, under a key of its own."""
    original, key = stolen
    capture, renewed = other
    found = invert(protect(original, key), key)
    described = descriptors(original)
    chosen = slots_of(original, described)
    true = frames(original)[0][chosen[found.slots[found.slots < len(chosen)]]]
    places = found.places[: len(true)]
    apart = np.abs(fit(places, true, np.ones(len(true), np.float32)).of(places) - true)
    estimated = estimated_descriptors(protect(original, key), key)[: len(chosen)]
    turned = [
        moved(found.template, Similarity(np.exp(2j * np.pi * turn / _TURNS), 0j))
        for turn in range(_TURNS)
    ]
    return Inverted(
        subject=subject,
        slots=len(found.slots),
        place_error=float(np.median(apart)),
        likeness=float(np.median((estimated * described[chosen]).sum(axis=1))),
        plain_score=max(compare_plain(one, capture).score for one in turned),
        renewed_score=compare(found.template, protect(capture, renewed), renewed),
    )


def _decoded(
    protected: ProtectedTemplate, key: ProtectionKey
) -> tuple[NDArray[np.complex64], NDArray[np.float32], NDArray[np.uint8]]:
    """(48, 4) each: the likeliest place and direction of a neighbour, and its wrong bits."""
    side = np.arange(-_LONGEST, _LONGEST + _STEP / 2, _STEP)
    grid = (side + 1j * side[:, None]).ravel()
    grid = grid[np.abs(grid) <= _LONGEST].astype(np.complex64)
    turns = (np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)).astype(np.float32)
    place, turn = np.repeat(grid, _DIRECTIONS), np.tile(turns, len(grid))
    zero = np.zeros(1, np.complex64), np.zeros(1, np.float32)
    poses = protection.relative_pose(*zero, place, turn)
    least = np.full((SLOTS, HOPS), POSE_BITS + 1, np.uint8)
    best = np.zeros((SLOTS, HOPS), np.intp)
    for start in range(0, len(poses), _HYPOTHESES_AT_ONCE):
        asked = poses[start : start + _HYPOTHESES_AT_ONCE]
        for slot in range(SLOTS):
            for hop in range(HOPS):
                bits = protection.pose_bits(asked, key.waves[slot, hop])
                apart = np.bitwise_count(protection.packed(bits) ^ protected.poses[slot, hop])
                first = int(apart.argmin())
                if apart[first] < least[slot, hop]:
                    least[slot, hop], best[slot, hop] = apart[first], start + first
    return place[best], turn[best], least


def _laid_out(
    slots: NDArray[np.intp], steps: NDArray[np.complex64], apart: NDArray[np.uint8]
) -> NDArray[np.complex64]:
    """(N,) places that fit the plausible `steps` (N, 4) to the next slots best, by least squares
    whose weights fall with what a step is off (iterated ten times)."""
    rows, wanted = [], []
    for (row, hop), step in np.ndenumerate(steps):
        partner = np.flatnonzero(slots == slots[row] + hop + 1)
        if len(partner) and apart[row, hop] <= _PLAUSIBLE_BITS:
            line = np.zeros(len(slots), np.complex64)
            line[row], line[partner[0]] = -1, 1
            rows.append(line)
            wanted.append(step)
    system, target = np.array(rows).reshape(-1, len(slots)), np.array(wanted, np.complex64)
    weights = np.ones(len(target))
    places = np.zeros(len(slots), np.complex64)
    for _ in range(10):
        places = np.linalg.lstsq(system * weights[:, None], target * weights, rcond=None)[0]
        weights = 1 / (1 + np.abs(system @ places - target) / _STEP)
    return np.asarray(places - places.mean(), np.complex64)


def _drawn(
    found: NDArray[np.float32], places: NDArray[np.complex64], directions: NDArray[np.float32]
) -> Template:
    """The strongest cells of all, a sample in the middle of each."""
    parts = found.reshape(len(found), 2, len(RINGS), SECTORS)
    values = (parts[:, 0] + 1j * parts[:, 1]) * np.sqrt(RINGS)[:, None]
    sector = np.arange(SECTORS) * (2 * np.pi / SECTORS)
    cells = RINGS[:, None] * np.exp(1j * sector)
    where = places[:, None, None] + cells * np.exp(1j * directions)[:, None, None]
    axis = np.angle(values) / 2 + directions[:, None, None]
    strongest = np.argsort(-np.abs(values), axis=None)[:MAX_SAMPLES]
    samples = np.zeros(len(strongest), SAMPLE)
    chosen = where.ravel()[strongest]
    samples["x"], samples["y"] = quantised(chosen.real), quantised(chosen.imag)
    samples["axis"] = np.round(axis.ravel()[strongest] * (256 / np.pi)).astype(int) % 256
    samples["seen"] = 1
    landmarks = np.zeros(len(places), LANDMARK)
    landmarks["x"], landmarks["y"] = quantised(places.real), quantised(places.imag)
    landmarks["direction"] = np.round(directions * (128 / np.pi)).astype(int) % 256
    landmarks["seen"] = 1
    return Template(1, np.ones((GRID, GRID), np.bool_), landmarks, samples)
