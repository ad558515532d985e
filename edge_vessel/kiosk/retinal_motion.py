"""Follows the retina through the frames of one capture, in a picture 240 px wide."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

_SIDE = 240  # px of the field's diameter
_CORE = 0.86  # of the radius: the rim, which stays where it is, would be taken for the retina
_MARGIN_PX = 48  # around the square that is looked for: so far may the retina move
# Less, and two frames have nothing in common: those of one simulated eye have 0.9, of two eyes 0.3.
_MIN_CORRELATION = 0.5
_VESSEL_DEPTH = 0.05  # by which a vessel is darker than what lies around it, as a share of that
_BESIDE_PX = 7
_STRIDE = 6  # some thousand pixels are compared with those of all earlier frames

Green = NDArray[np.float32]
"""(240, 240) float32 in grey levels: the square around the field of view."""


@dataclass(frozen=True)
class Seen:
    """One frame that shows the retina of the first.

    x, y: how far the retina has moved since the first, in diameters of the field.
    rim_x, rim_y: the same of the circle that bounds the field.
    change: mean absolute difference to the frame before, both laid on the first, in grey levels: 0
        of the first.
    samples: (S,) int16 green levels at places of the camera's picture.
    vessel_level: natural logarithm of the vessels' mean green over that beside them; None where no
        vessels were seen.
    """

    time_s: float
    x: float
    y: float
    rim_x: float
    rim_y: float
    change: float
    samples: NDArray[np.int16]
    vessel_level: float | None


class Tracker:
    """Looks through the field of view of the first frame.

    Args:
        image: that frame, (H, W, 3) uint8 RGB.
        fov: where its field was found.
    """

    def __init__(self, image: NDArray[np.uint8], fov: FieldOfView) -> None:
        self._fov = fov
        self._shape = image.shape
        self._core = FieldOfView(_SIDE / 2, _SIDE / 2, _CORE * _SIDE / 2).mask(_SIDE, _SIDE)
        self._sampled = self._core[::_STRIDE, ::_STRIDE]
        first = self._reduced(image)
        inner = slice(_MARGIN_PX, _SIDE - _MARGIN_PX)
        self._pattern = _detail(first)[inner, inner]
        self._before = first
        smooth, around = (cv2.GaussianBlur(first, (0, 0), sigma) for sigma in (1, 8))
        dark = np.asarray(smooth < (1 - _VESSEL_DEPTH) * around)
        kernel = np.ones((_BESIDE_PX, _BESIDE_PX), np.uint8)
        grown = np.asarray(cv2.dilate(dark.astype(np.uint8), kernel) > 0)
        self._vessels, self._beside = dark & self._core, grown & ~dark & self._core

    def follow(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView) -> Seen | None:
        """Any frame, the first too; None where it has nothing in common with the first."""
        if image.shape != self._shape:
            return None
        green = self._reduced(image)
        place = self._place(green)
        if place is None:
            return None
        x, y = place
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        back = np.array([[1, 0, x], [0, 1, y]])
        laid = np.asarray(cv2.warpAffine(green, back, (_SIDE, _SIDE), flags=way), np.float32)
        change = float(cv2.absdiff(laid, self._before)[self._core].mean())
        self._before = laid
        diameter_px = 2 * self._fov.radius
        return Seen(
            time_s,
            x / _SIDE,
            y / _SIDE,
            (fov.centre_x - self._fov.centre_x) / diameter_px,
            (fov.centre_y - self._fov.centre_y) / diameter_px,
            change,
            green[::_STRIDE, ::_STRIDE][self._sampled].astype(np.int16),
            self._vessel_level(laid),
        )

    def _vessel_level(self, laid: Green) -> float | None:
        if not self._vessels.any() or not self._beside.any():
            return None
        vessel, beside = (laid[where].mean() for where in (self._vessels, self._beside))
        return float(np.log((vessel + 1) / (beside + 1)))

    def _reduced(self, image: NDArray[np.uint8]) -> Green:
        height, width = self._shape[:2]
        rows, columns = (
            slice(max(0, int(at - self._fov.radius)), min(most, int(at + self._fov.radius)))
            for at, most in ((self._fov.centre_y, height), (self._fov.centre_x, width))
        )
        green = cv2.extractChannel(image[rows, columns], 1)
        small = cv2.resize(green, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    def _place(self, green: Green) -> tuple[float, float] | None:
        """By how much the first frame's middle has moved, in pixels; None where it is not seen."""
        way = cv2.TM_CCOEFF_NORMED
        likeness = np.asarray(cv2.matchTemplate(_detail(green), self._pattern, way), np.float32)
        _, best, _, (column, row) = cv2.minMaxLoc(likeness)
        last = likeness.shape[0] - 1
        if best < _MIN_CORRELATION or not (0 < row < last and 0 < column < last):
            return None
        across, along = likeness[row, column - 1 : column + 2], likeness[row - 1 : row + 2, column]
        return column + _vertex(across) - _MARGIN_PX, row + _vertex(along) - _MARGIN_PX


def _detail(green: Green) -> Green:
    """What has the size of vessels, and not the lighting, which does not move with them."""
    fine, coarse = cv2.GaussianBlur(green, (0, 0), 1.5), cv2.GaussianBlur(green, (0, 0), 6)
    return np.asarray(fine - coarse, np.float32)


def _vertex(values: NDArray[np.float32]) -> float:
    """Where from -1 to 1 the parabola through three values has its vertex; 0 where it has none."""
    before, middle, after = map(float, values)
    bend = before - 2 * middle + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
