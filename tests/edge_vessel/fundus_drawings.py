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
    """(height, width, 3) uint8 RGB: a disc with vessels, fading to its rim, on near black."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    distance = np.hypot(xx - centre[0], yy - centre[1]) / radius
    shade = np.where(distance <= 1, 1.0 - 0.45 * distance**2, 0.0) * brightness
    shade *= _vessels(height, width, centre, radius)
    image = np.stack([shade * 200, shade * 100, shade * 55], axis=2)
    image += np.random.default_rng(0).normal(3, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def _vessels(
    height: int, width: int, centre: tuple[float, float], radius: float
) -> NDArray[np.float32]:
    """(height, width) float32: 1, and less along arcs that leave the optic disc."""
    drawn = np.ones((height, width), np.float32)
    disc = (centre[0] - 0.5 * radius, centre[1])
    for reach in (0.35, 0.6, 0.9):
        axes = (round(1.1 * radius), round(reach * radius))
        start = (round(disc[0] + 1.1 * radius), round(disc[1]))
        cv2.ellipse(drawn, start, axes, 0, 120, 240, 0.7, max(1, round(0.025 * radius)))
    return drawn


def with_notch(image: NDArray[np.uint8], at: tuple[int, int], size: int) -> NDArray[np.uint8]:
    """The marker that some cameras put on the rim."""
    marked = image.copy()
    cv2.circle(marked, at, size, (190, 90, 50), cv2.FILLED)
    return marked
