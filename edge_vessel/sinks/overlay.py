"""Vessels drawn over the photograph, for a person's eye."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

# A fundus is red to yellow and dark at its rim. Cyan is its complement, is told from it by the
# common colour blindnesses too, and is lighter than all of it but the disc, where the dark halo
# keeps the line visible.
VESSEL_RGB = (0, 230, 255)
FOV_RGB = (150, 150, 150)
_CORE_OPACITY = 0.55
_HALO_BRIGHTNESS = 0.45
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_LEVELS = np.arange(256, dtype=np.float32)[:, None]
_HALO_TABLE = (_LEVELS * _HALO_BRIGHTNESS).repeat(3, axis=1).astype(np.uint8)[None]
_CORE_TABLE = (
    _LEVELS * (1 - _CORE_OPACITY) + np.array(VESSEL_RGB, np.float32) * _CORE_OPACITY
).astype(np.uint8)[None]
# A vessel one pixel wide covers `scale` of a column of the preview, or half of that where it falls
# between two: a little less than the half keeps it.
_HAIR = 0.49


def overlay(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], fov: FieldOfView | None = None
) -> NDArray[np.uint8]:
    """Draws `mask` over `image`; with `fov`, its circle as a thin grey line.

    The outermost pixels of a vessel are opaque, its core translucent, its surroundings darkened:
    a thin vessel is all edge and stands out, a thick one still shows the photograph beneath it.

    Args:
        image: (H, W, 3) uint8 RGB; left as it is.
        mask: (H, W) bool.
        fov: in pixels of `image`.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: the shapes differ.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"image {image.shape[:2]} and mask {mask.shape} differ in size")
    drawn = image.copy()
    if fov is not None:
        # OpenCV counts pixel centres as whole numbers, FieldOfView as halves.
        centre = (round(fov.centre_x - 0.5), round(fov.centre_y - 0.5))
        cv2.circle(drawn, centre, round(fov.radius), FOV_RGB, 1, cv2.LINE_AA)
    vessels = np.ascontiguousarray(mask).view(np.uint8)
    halo = (cv2.dilate(vessels, _CROSS) - vessels).view(np.bool_)
    drawn[halo] = _mapped(drawn[halo], _HALO_TABLE)
    drawn[mask] = VESSEL_RGB
    core = cv2.erode(vessels, _CROSS, borderValue=1).view(np.bool_)
    drawn[core] = _mapped(image[core], _CORE_TABLE)
    return drawn


def fitted_overlay(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], width: int, height: int
) -> NDArray[np.uint8]:
    """The overlay, scaled to fit `width` by `height` pixels with its proportions kept.

    It is drawn after scaling, so that a vessel one pixel wide survives a small preview.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        width, height: at least 1.

    Returns:
        (h, w, 3) uint8 RGB with h <= height, w <= width.
    """
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    coverage = cv2.resize(mask.astype(np.float32), size, interpolation=interpolation)
    return overlay(scaled, coverage >= (_HAIR * scale if scale < 1 else 0.5))


def _mapped(pixels: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 3) pixels through a (1, 256, 3) table, without floats: a frame may have 35 megapixels."""
    if pixels.size == 0:
        return pixels
    return np.asarray(cv2.LUT(pixels[None], table)[0], np.uint8)
