"""Vessels drawn exactly: a pixel is vessel where its centre lies within half the width."""

import itertools

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]


def draw(shape: tuple[int, int], *strokes: tuple[list[Point], float]) -> NDArray[np.bool_]:
    """(H, W) bool. A stroke is its polyline's points (x, y), pixel centres at half-integers, and
    its width in pixels; its ends are cut off flat, its bends round."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    mask = np.zeros(shape, bool)
    for points, width in strokes:
        corners = np.array(points, float)
        for start, end in itertools.pairwise(corners):
            step = end - start
            length = np.hypot(*step)
            along = ((x - start[0]) * step[0] + (y - start[1]) * step[1]) / length
            across = ((x - start[0]) * step[1] - (y - start[1]) * step[0]) / length
            mask |= (along >= 0) & (along <= length) & (abs(across) <= width / 2)
        for bend in corners[1:-1]:
            mask |= np.hypot(x - bend[0], y - bend[1]) <= width / 2
    return mask


def ray(start: Point, angle_deg: float, length: float) -> list[Point]:
    """From `start`; the angle runs from x to y, which points down."""
    angle = np.radians(angle_deg)
    return [start, (start[0] + length * np.cos(angle), start[1] + length * np.sin(angle))]


def star(centre: Point, length: float, *branches: tuple[float, float]) -> NDArray[np.bool_]:
    """(400, 400) bool: straight branches from one place, as (angle_deg, width)."""
    return draw((400, 400), *((ray(centre, angle, length), width) for angle, width in branches))
