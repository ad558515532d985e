"""The part of a photograph that shows the fundus: where a vessel can be seen to end."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

_WORKING_SIDE = 320  # px of the reduced photograph
_DIM = 0.15  # of the way from the surroundings to the fundus's median; darker is no fundus
_MIN_LIT = 0.5  # of the circle; with less, its surroundings are no darker than it


@dataclass(frozen=True)
class Field:
    """`lit` is (H, W) bool, `diameter_px` that of the field of view's circle.

    Many cameras cut the circle off above and below, so the lit part may be less than the circle.
    """

    lit: NDArray[np.bool_]
    diameter_px: float

    @classmethod
    def of(cls, image: NDArray[np.uint8], fov: FieldOfView) -> "Field":
        """The largest lit region of the circle, dark spots inside it included; all of it where
        its surroundings are not darker.

        Args:
            image: (H, W, 3) uint8 RGB.
            fov: as `find_field_of_view` gives it for this image.
        """
        height, width = image.shape[:2]
        circle = fov.mask(height, width)
        scale = min(1.0, _WORKING_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        level = cv2.resize(image, size, interpolation=cv2.INTER_AREA).max(axis=2)
        inside = cv2.resize(circle.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        dark = float(np.median(level[~inside])) if not inside.all() else 0.0
        light = float(np.median(level[inside])) if inside.any() else 255.0
        bright = (level > dark + _DIM * (light - dark)) & inside
        if np.count_nonzero(bright) <= _MIN_LIT * np.count_nonzero(inside):
            return cls.of_circle(fov, height, width)
        contours, _ = cv2.findContours(
            bright.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        largest = max(contours, key=cv2.contourArea)
        filled = np.zeros(level.shape, np.uint8)
        cv2.drawContours(filled, [largest], -1, 255, cv2.FILLED)
        # Reduced, the circle's rim is coarse: it is taken from the circle itself.
        grown = cv2.dilate(filled, np.ones((3, 3), np.uint8))
        filled[~inside] = grown[~inside]
        lit = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR) >= 128
        return cls(np.asarray(circle & lit), 2 * fov.radius)

    @classmethod
    def of_circle(cls, fov: FieldOfView, height: int, width: int) -> "Field":
        """All of the circle that lies in the frame."""
        return cls(fov.mask(height, width), 2 * fov.radius)

    @classmethod
    def of_frame(cls, height: int, width: int) -> "Field":
        """All of the frame; its longer side stands for the diameter."""
        return cls(np.ones((height, width), np.bool_), float(max(height, width)))

    def room_px(self) -> NDArray[np.float32]:
        """(H, W) float32: how far each pixel is from the border of what is lit."""
        padded = np.pad(self.lit, 1).astype(np.uint8)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)
        return np.asarray(distance[1:-1, 1:-1], np.float32)
