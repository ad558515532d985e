"""Photographs that are easy and ones that are not, drawn."""

import cv2
import numpy as np
from numpy.typing import NDArray


def fundus(
    height: int,
    width: int,
    centre: tuple[float, float],
    radius: float,
    brightness: float = 1.0,
    noise: float = 2.0,
) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: a shaded disc that fades to its rim, on near black."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    distance = np.hypot(xx - centre[0], yy - centre[1]) / radius
    shade = np.where(distance <= 1, 1.0 - 0.45 * distance**2, 0.0) * brightness
    image = np.stack([shade * 200, shade * 100, shade * 55], axis=2)
    image += np.random.default_rng(0).normal(3, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def with_notch(image: NDArray[np.uint8], at: tuple[int, int], size: int) -> NDArray[np.uint8]:
    """The marker that some cameras put on the rim."""
    marked = image.copy()
    cv2.circle(marked, at, size, (190, 90, 50), cv2.FILLED)
    return marked
