"""Finds the circle of the fundus in a photograph."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_WORKING_SIDE = 320  # px: the longer side of the reduced photograph; the fit averages below a pixel
_MIN_SIDE = 16  # px of the reduced photograph: a ribbon narrower than that shows no circle
_THRESHOLDS = (0.15, 0.30)  # of the contrast: the second where the surroundings are not black
_MIN_CONTRAST = 10.0  # grey levels between the fundus and what surrounds it
_MIN_RADIUS = 0.12  # of the frame's shorter side
_MAX_RADIUS = 1.5  # of the frame's longer side
_SMALL = 0.25  # of the frame's longer side: below this radius the fundus is looked at again, closer
_CLOSER = 1.35  # half the side of that second look, in radii
_MIN_DIAMETER_PX = 96.0  # of the photograph; below it no vessel is wider than a pixel
_TOLERANCE = 0.015  # of the radius: how far a point of the rim may lie off the circle
_MIN_ARC = 0.15  # of the full circle that has to be seen as rim
_MIN_SEEN = 0.55  # of the circle, where the frame shows it and no shadow hides it, that is rim
_MIN_FILL = 0.73  # of the circle inside the frame that has to be brighter than its surroundings
_PROFILE = np.linspace(0.86, 1.12, 53)  # of the radius: where the profiles across the rim run
_INSIDE, _OUTSIDE = slice(0, 13), slice(38, 49)  # of the profile: the levels on its two sides
_MIN_EDGE = 0.35  # of the fundus's contrast that a rim has at one angle
_RIM_HEIGHT = 0.35  # of the edge's height: where the published masks end, blurred or not
_MIN_TEXTURE = 0.004  # of the mean green level: what vessels and disc leave in the band below
_MIN_TEXTURE_LEVELS = 0.2  # the same in grey levels
_BAND = (1.5, 6.0)  # px: sigmas of that band-pass; finer is sensor noise, coarser is lighting
_NOISE_IN_BAND = 0.06  # of the variance of finer detail: more than white noise has in the band
_TRIALS = 120
_RIM_POINTS = 240
_ANGLES = 180
_ARC_BINS = 36


@dataclass(frozen=True)
class FieldOfView:
    """The circle of the fundus in pixels of the photograph; it may reach over the frame's edge.

    Pixel centres lie at half-integers: the centre of a frame W pixels wide has centre_x = W / 2.
    """

    centre_x: float
    centre_y: float
    radius: float

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """(height, width) bool: the pixels whose centre lies inside the circle."""
        inside = np.zeros((height, width), np.bool_)
        dy = np.arange(height) + 0.5 - self.centre_y
        reach = np.sqrt(np.maximum(self.radius**2 - dy**2, 0.0))
        starts = np.clip(np.ceil(self.centre_x - reach - 0.5), 0, width).astype(int)
        ends = np.clip(np.floor(self.centre_x + reach + 0.5), 0, width).astype(int)
        for row in np.flatnonzero(np.abs(dy) <= self.radius):
            inside[row, starts[row] : ends[row]] = True
        return inside


def find_field_of_view(image: NDArray[np.uint8]) -> FieldOfView | None:
    """The field of view of a fundus photograph, None where there is no fundus.

    The fundus is the largest region brighter than its surroundings; a circle is fitted to the part
    of its rim that the frame does not cut off, robust against notches, cropping and eyelids. What
    is green or blue, is not filled, has no texture or shows too little of a circular rim is no
    fundus.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    found = _look(image)
    if found is None or found.radius >= _SMALL * max(height, width):
        return found
    half = _CLOSER * found.radius
    left, top = max(0, int(found.centre_x - half)), max(0, int(found.centre_y - half))
    right, bottom = int(found.centre_x + half), int(found.centre_y + half)
    closer = _look(image[top:bottom, left:right])
    if closer is None:
        return None
    return FieldOfView(closer.centre_x + left, closer.centre_y + top, closer.radius)


def _look(image: NDArray[np.uint8]) -> FieldOfView | None:
    """The field of view as a copy of _WORKING_SIDE px shows it."""
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width, 1))
    if min(height, width) < max(_MIN_DIAMETER_PX, _MIN_SIDE / scale):
        return None
    reduced = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    fy, fx = height / reduced.shape[0], width / reduced.shape[1]
    rows, columns = _without_border(np.asarray(reduced, np.uint8))
    small = np.ascontiguousarray(reduced[rows, columns], np.uint8)
    if min(small.shape[:2]) < _MIN_SIDE:
        return None
    red, green, blue = cv2.split(small)
    level = np.asarray(cv2.medianBlur(cv2.max(cv2.max(red, green), blue), 5), np.uint8)
    for share in _THRESHOLDS:
        bright = _brighter_than_surroundings(level, share)
        circle = None if bright is None else _refine(level, bright, _fit_circle(bright))
        if bright is not None and circle is not None:
            break
    else:
        return None
    x, y, radius = circle
    inside = FieldOfView(x, y, radius).mask(*bright.shape)
    if bright[inside].mean() < _MIN_FILL or not _coloured_like_a_fundus(small, inside & bright):
        return None
    weight, core = (
        FieldOfView(x, y, share * radius).mask(*bright.shape) & bright for share in (0.95, 0.8)
    )
    if not _has_texture(np.asarray(green, np.uint8), weight, core):
        return None
    found = FieldOfView((x + columns.start) * fx, (y + rows.start) * fy, radius * (fx + fy) / 2)
    return found if 2 * found.radius >= _MIN_DIAMETER_PX else None


def _without_border(small: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns inside a bright border, as scanned slides have one; else everything."""
    height, width = small.shape[:2]
    corners = small[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.int16)
    if corners.max(axis=1).min() < 64 or np.ptp(corners, axis=0).max() > 24:
        return slice(0, height), slice(0, width)
    other = (np.abs(small.astype(np.int16) - corners[0]) > 24).any(axis=2)
    rows = np.flatnonzero(other.mean(axis=1) > 0.5)
    columns = np.flatnonzero(other.mean(axis=0) > 0.5)
    if not len(rows) or not len(columns):
        return slice(0, height), slice(0, width)
    return slice(int(rows[0]) + 1, int(rows[-1])), slice(int(columns[0]) + 1, int(columns[-1]))


def _brighter_than_surroundings(level: NDArray[np.uint8], share: float) -> NDArray[np.bool_] | None:
    """The largest bright region, holes filled; None in a frame without contrast.

    The first threshold finds what is bright at all, the second stands in proportion to its median:
    neither a reflex nor the share of the frame that is black moves that.
    """
    dark, light = np.percentile(level, (1, 99))
    if light - dark < _MIN_CONTRAST:
        return None
    first = level[level > dark + max(_MIN_CONTRAST / 2, 0.1 * (light - dark))]
    threshold = dark + max(_MIN_CONTRAST / 2, share * (float(np.median(first)) - dark))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((level > threshold).astype(np.uint8))
    if count < 2:
        return None
    largest = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(largest), contours, -1, 1, cv2.FILLED)
    result: NDArray[np.bool_] = filled > 0
    return result


def _fit_circle(bright: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    """RANSAC over triples of rim points, then least squares over the inliers."""
    outline = cv2.findContours(bright.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    points, shape = max(outline, key=len)[:, 0, :].astype(np.float64) + 0.5, bright.shape
    on_edge = (points <= 2) | (points >= np.array(shape[::-1]) - 2)
    points = points[~on_edge.any(axis=1)]
    if len(points) < _ARC_BINS:
        return None
    points = points[:: max(1, len(points) // _RIM_POINTS)]
    low, high = _MIN_RADIUS * min(shape), _MAX_RADIUS * max(shape)
    picks = np.random.default_rng(0).integers(0, len(points), (_TRIALS, 3))
    centres, radii = _circumcircles(points[picks])
    usable = (radii >= low) & (radii <= high)
    if not usable.any():
        return None
    centres, radii = centres[usable], radii[usable]
    distances = np.linalg.norm(points[None] - centres[:, None], axis=2)
    inliers = np.abs(distances - radii[:, None]) <= np.maximum(_TOLERANCE * radii, 1.0)[:, None]
    best = int(inliers.sum(axis=1).argmax())
    kept = points[inliers[best]]
    for _ in range(3):
        x, y, radius = _least_squares_circle(kept)
        error = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius)
        kept = points[error <= max(_TOLERANCE * radius, 1.0)]
        if len(kept) < _ARC_BINS // 2:
            return None
    return (x, y, radius) if low <= radius <= high else None


def _circumcircles(
    triples: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (N, 2) and radii (N,) through triples (N, 3, 2); infinite where collinear."""
    a, b, c = triples[:, 0], triples[:, 1], triples[:, 2]
    ab, ac = b - a, c - a
    cross = 2 * (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ab2, ac2 = (ab**2).sum(axis=1), (ac**2).sum(axis=1)
        dx = (ac[:, 1] * ab2 - ab[:, 1] * ac2) / cross
        dy = (ab[:, 0] * ac2 - ac[:, 0] * ab2) / cross
        radii = np.where(cross == 0, np.inf, np.hypot(dx, dy))
    return a + np.stack([dx, dy], axis=1), np.nan_to_num(radii, nan=np.inf)


def _least_squares_circle(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Kasa's linear fit, about the points' mean for conditioning."""
    mean = points.mean(axis=0)
    x, y = (points - mean).T
    system = np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1)
    (cx, cy, rest), *_ = np.linalg.lstsq(system, x * x + y * y, rcond=None)
    return float(cx + mean[0]), float(cy + mean[1]), float(np.sqrt(rest + cx * cx + cy * cy))


def _refine(
    level: NDArray[np.uint8], bright: NDArray[np.bool_], circle: tuple[float, float, float] | None
) -> tuple[float, float, float] | None:
    """The circle through the rim's half height, None where too little of it is an edge."""
    if circle is None:
        return None
    height, width = level.shape
    dark = float(np.percentile(level, 1))
    contrast = max(_MIN_CONTRAST / 2, _MIN_EDGE * (float(np.median(level[bright])) - dark))
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    across = np.stack([np.cos(angles), np.sin(angles)])[:, :, None] * _PROFILE
    for tolerance in (2 * _TOLERANCE, _TOLERANCE):
        x, y, radius = circle
        at = (across * radius + np.array([x, y])[:, None, None] - 0.5).astype(np.float32)
        profile = cv2.remap(level, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        profile = profile.astype(np.float32)
        inner, outer = profile[:, _INSIDE].mean(axis=1), profile[:, _OUTSIDE].mean(axis=1)
        end = at[:, :, _OUTSIDE.start]
        visible = (end > 0).all(axis=0) & (end[0] < width - 1) & (end[1] < height - 1)
        visible &= inner > dark + contrast
        if not visible.any():
            return None
        below = profile < (outer + _RIM_HEIGHT * (inner - outer))[:, None]
        crossing = np.interp(below.argmax(axis=1) - 0.5, np.arange(len(_PROFILE)), _PROFILE)
        off = np.abs(crossing - np.median(crossing[visible]))
        seen = visible & (inner - outer > contrast) & (off < max(tolerance, 1.0 / radius))
        if seen.sum() < max(_MIN_ARC * _ANGLES, _MIN_SEEN * visible.sum()):
            return None
        reach = (crossing * radius)[seen]
        points = np.stack([x + reach * np.cos(angles[seen]), y + reach * np.sin(angles[seen])], 1)
        circle = _least_squares_circle(points)
    return circle


def _coloured_like_a_fundus(small: NDArray[np.uint8], inside: NDArray[np.bool_]) -> bool:
    """Red leads blue and green, or nearly does: a cold white balance turns a fundus grey."""
    red, green, blue, _ = cv2.mean(small, inside.astype(np.uint8))
    return red >= 0.7 * green and red >= 0.6 * blue


def _has_texture(
    green: NDArray[np.uint8], inside: NDArray[np.bool_], core: NDArray[np.bool_]
) -> bool:
    """Vessels and optic disc make a fundus uneven; a lamp or a lens cap is even."""
    weight = inside.astype(np.float32)
    fine, coarse = (
        cv2.GaussianBlur(green * weight, (0, 0), sigma)
        / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6)
        for sigma in _BAND
    )
    mean = float(green[core].mean())
    noise = float((green - fine)[core].var())
    texture = max(0.0, float((fine - coarse)[core].var()) - _NOISE_IN_BAND * noise) ** 0.5
    return bool(texture > max(_MIN_TEXTURE_LEVELS, _MIN_TEXTURE * min(mean, 4 * (256 - mean))))
