"""Finds the circle of the fundus in a photograph."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_WORKING_SIDE = 320  # px: the longer side of the reduced photograph; the fit averages below a pixel
_MIN_CONTRAST = 10.0  # grey levels between the fundus and what surrounds it
_MIN_RADIUS = 0.12  # of the frame's shorter side
_MAX_RADIUS = 1.5  # of the frame's longer side
_MIN_DIAMETER_PX = 96.0  # of the photograph; below it no vessel is wider than a pixel
_TOLERANCE = 0.015  # of the radius: how far a point of the rim may lie off the circle
_MIN_ARC = 0.20  # of the full circle that has to be seen as rim
_MIN_FILL = 0.80  # of the circle inside the frame that has to be brighter than its surroundings
_RINGS = (0.90, 0.96, 1.04, 1.10)  # of the radius: the ring inside the rim, and the one outside
_MIN_INNER, _MAX_OUTER = 0.55, 0.25  # share of bright pixels in each
_TRIALS = 120
_RIM_POINTS = 240
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
        dx = np.arange(width, dtype=np.float32) + np.float32(0.5 - self.centre_x)
        dy = np.arange(height, dtype=np.float32) + np.float32(0.5 - self.centre_y)
        inside: NDArray[np.bool_] = (dx * dx)[None, :] + (dy * dy)[:, None] <= self.radius**2
        return inside


def find_field_of_view(image: NDArray[np.uint8]) -> FieldOfView | None:
    """The field of view of a fundus photograph, None where there is no fundus.

    The fundus is the largest region brighter than its surroundings; a circle is fitted to the part
    of its rim that the frame does not cut off, robust against notches, cropping and eyelids. What
    is not red-dominant (or grey, as a red-free photograph is), is not filled, or shows too little
    of a circular rim is no fundus.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    if min(height, width) < _MIN_DIAMETER_PX:
        return None
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    reduced = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.asarray(reduced, np.uint8)
    bright = _brighter_than_surroundings(small)
    if bright is None:
        return None
    circle = _fit_circle(_rim(bright), bright.shape)
    if circle is None:
        return None
    x, y, radius = circle
    inside = FieldOfView(x, y, radius).mask(*bright.shape)
    if bright[inside].mean() < _MIN_FILL or not _has_an_edge(bright, x, y, radius):
        return None
    if not _coloured_like_a_fundus(small[inside & bright]):
        return None
    fx, fy = width / small.shape[1], height / small.shape[0]
    found = FieldOfView(x * fx, y * fy, radius * (fx + fy) / 2)
    return found if 2 * found.radius >= _MIN_DIAMETER_PX else None


def _brighter_than_surroundings(small: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The largest bright region, holes filled; None in a frame without contrast."""
    level = cv2.medianBlur(small.max(axis=2), 5)
    dark, light = np.percentile(level, (1, 90))
    if light - dark < _MIN_CONTRAST:
        return None
    threshold = dark + max(_MIN_CONTRAST / 2, 0.15 * (light - dark))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((level > threshold).astype(np.uint8))
    if count < 2:
        return None
    largest = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(largest), contours, -1, 1, cv2.FILLED)
    result: NDArray[np.bool_] = filled > 0
    return result


def _rim(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, 2) x, y of the region's outline, without what lies on the frame's edge."""
    contours, _ = cv2.findContours(
        region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = max(contours, key=len)[:, 0, :].astype(np.float64) + 0.5
    height, width = region.shape
    off_edge = ((points[:, 0] > 2) & (points[:, 0] < width - 2) & (points[:, 1] > 2)) & (
        points[:, 1] < height - 2
    )
    kept: NDArray[np.float64] = points[off_edge]
    return kept


def _fit_circle(
    points: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[float, float, float] | None:
    """RANSAC over triples of rim points, then least squares over the inliers."""
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
    angles = np.arctan2(kept[:, 1] - y, kept[:, 0] - x)
    bins = np.unique(((angles + np.pi) / (2 * np.pi) * _ARC_BINS).astype(int) % _ARC_BINS)
    if len(bins) < _MIN_ARC * _ARC_BINS or not low <= radius <= high:
        return None
    return x, y, radius


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


def _has_an_edge(bright: NDArray[np.bool_], x: float, y: float, radius: float) -> bool:
    """Bright just inside the circle, dark just outside it, as far as the frame shows both."""
    discs = [FieldOfView(x, y, share * radius).mask(*bright.shape) for share in _RINGS]
    inner, outer = discs[1] & ~discs[0], discs[3] & ~discs[2]
    if not inner.any() or not outer.any():
        return False
    return bool(bright[inner].mean() > _MIN_INNER and bright[outer].mean() < _MAX_OUTER)


def _coloured_like_a_fundus(pixels: NDArray[np.uint8]) -> bool:
    """Red above green above blue, or grey."""
    red, green, blue = (float(channel) for channel in pixels.mean(axis=0))
    grey = max(red, green, blue) - min(red, green, blue) < 0.06 * max(red, green, blue)
    return grey or (red >= green and red > 1.15 * blue)
