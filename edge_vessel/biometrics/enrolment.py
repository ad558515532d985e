"""One template from several captures of an eye: what was seen again counts first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.matcher import THRESHOLD, Probe
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.template import (
    GRID,
    MAX_CAPTURES,
    MAX_LANDMARKS,
    MAX_SAMPLES,
    Template,
    as_complex,
    positions,
    quantised,
)
from edge_vessel.errors import UsageError

_SAME_PLACE = 0.012  # diameters: of two captures' samples, or landmarks, that are one
_SAME_AXIS_COS = np.cos(2 * np.radians(22.0))


def enrol(captures: Sequence[Template]) -> Template:
    """All captures in the coordinates of the first; of more points than a template holds, those
    seen in more captures stay, then those of the earlier ones.

    Args:
        captures: templates of one capture each, of one eye; 1 to 16.

    Raises:
        UsageError: none or too many, or a capture that does not match what the others before show.
    """
    if not 1 <= len(captures) <= MAX_CAPTURES:
        raise UsageError(f"{len(captures)} captures: enrol 1 to {MAX_CAPTURES}")
    merged = captures[0]
    for number, capture in enumerate(captures[1:], 2):
        found = Probe(capture).compare(captures[0])
        if found.pose is None or found.score < THRESHOLD:
            raise UsageError(
                f"capture {number} does not show the eye of the first (score {found.score:.1f}, "
                f"{THRESHOLD:g} is needed): capture it again"
            )
        merged = _joined(merged, moved(capture, found.pose))
    samples = _kept(merged.samples, MAX_SAMPLES)
    landmarks = _kept(merged.landmarks, MAX_LANDMARKS)
    return Template(len(captures), merged.field, landmarks, samples)


def _kept(records: NDArray[np.void], most: int) -> NDArray[np.void]:
    """In their order; it is by calibre within a capture's landmarks."""
    chosen = np.argsort(-records["seen"].astype(int), kind="stable")[:most]
    return np.asarray(records[np.sort(chosen)])


def _joined(first: Template, second: Template) -> Template:
    """The second's points that the first has count there; the others are added."""
    samples = _with(first.samples, second.samples, first.axes, second.axes)
    landmarks = _with(first.landmarks, second.landmarks)
    return replace(first, field=first.field | second.field, samples=samples, landmarks=landmarks)


def _with(
    known: NDArray[np.void],
    found: NDArray[np.void],
    known_axes: NDArray[np.float32] | None = None,
    found_axes: NDArray[np.float32] | None = None,
) -> NDArray[np.void]:
    if not len(known) or not len(found):
        return np.concatenate([known, found])
    apart = np.linalg.norm(positions(found)[:, None] - positions(known), axis=2)
    if known_axes is not None and found_axes is not None:
        apart[np.cos(2 * (found_axes[:, None] - known_axes)) < _SAME_AXIS_COS] = np.inf
    elif "kind" in (known.dtype.names or ()):
        apart[found["kind"][:, None] != known["kind"]] = np.inf
    near = apart.argmin(axis=1)
    same = apart[np.arange(len(found)), near] <= _SAME_PLACE
    counted = known.copy()
    counted["seen"][np.unique(near[same])] += 1
    return np.concatenate([counted, found[~same]])


def moved(template: Template, pose: Similarity) -> Template:
    """The template in other coordinates; points that leave [-1, 1) are dropped."""
    samples, landmarks = template.samples.copy(), template.landmarks.copy()
    turn = pose.rotation_rad
    samples["axis"] = (samples["axis"].astype(int) + round(turn * 256 / np.pi)) % 256
    landmarks["direction"] = (landmarks["direction"].astype(int) + round(turn * 128 / np.pi)) % 256
    landmarks["calibre"] = np.minimum(255, np.round(landmarks["calibre"] * pose.scale))
    kept = []
    for records in (samples, landmarks):
        places = pose.of(as_complex(positions(records)))
        records["x"], records["y"] = quantised(places.real), quantised(places.imag)
        kept.append(records[np.maximum(np.abs(places.real), np.abs(places.imag)) < 1])
    centres = (np.arange(GRID) + 0.5) * (2 / GRID) - 1
    back = pose.inverse.of((centres + 1j * centres[:, None]).astype(np.complex64))
    column, row = (np.floor((part + 1) * (GRID / 2)).astype(int) for part in (back.real, back.imag))
    inside = (row >= 0) & (row < GRID) & (column >= 0) & (column < GRID)
    field = inside & template.field[row.clip(0, GRID - 1), column.clip(0, GRID - 1)]
    return Template(template.captures, field, kept[1], kept[0])
