"""Centre lines and landmarks over a photograph, for a person to check."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.graph import VesselGraph
from edge_vessel.vessels.landmarks import Landmark, LandmarkKind

LINE_RGB = (0, 230, 255)
LANDMARK_RGB: dict[LandmarkKind, tuple[int, int, int]] = {
    "bifurcation": (255, 230, 0),
    "crossing": (255, 0, 255),
    "ending": (60, 255, 60),
}
_SUBPIXEL_BITS = 4
_SIZE = 160  # of the picture's shorter side: the radius of a mark is one of so many parts


def draw_landmarks(
    image: NDArray[np.uint8], graph: VesselGraph, landmarks: tuple[Landmark, ...]
) -> NDArray[np.uint8]:
    """Yellow circles are bifurcations, with a stroke along each child; magenta squares crossings;
    green discs endings; cyan the centre lines.

    Args:
        image: (H, W, 3) uint8 RGB; left as it is.
        graph, landmarks: in its pixels.

    Returns:
        (H, W, 3) uint8 RGB, a new array.
    """
    drawn = image.copy()
    radius = max(2, round(min(image.shape[:2]) / _SIZE))
    stroke = max(1, radius // 4)
    for edge in graph.edges:
        cv2.polylines(drawn, [_fixed(edge.points_px)], False, LINE_RGB, stroke, cv2.LINE_AA,
                      _SUBPIXEL_BITS)  # fmt: skip
    for one in landmarks:
        colour = LANDMARK_RGB[one.kind]
        x, y = round(one.x_px - 0.5), round(one.y_px - 0.5)
        if one.kind == "crossing":
            corners = (x - radius, y - radius), (x + radius, y + radius)
            cv2.rectangle(drawn, *corners, colour, stroke)
        else:
            filled = cv2.FILLED if one.kind == "ending" else stroke
            cv2.circle(drawn, (x, y), radius, colour, filled, cv2.LINE_AA)
        for branch in one.branches[1:] if one.kind == "bifurcation" else ():
            angle = np.radians(branch.direction_deg)
            ray = np.outer([radius, 3 * radius], [np.cos(angle), np.sin(angle)])
            line = _fixed(np.array([one.x_px, one.y_px]) + ray)
            cv2.polylines(drawn, [line], False, colour, stroke, cv2.LINE_AA, _SUBPIXEL_BITS)
    return drawn


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Half-integer pixel centres to OpenCV's fixed point numbers, whose centres are whole."""
    return np.rint((points - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
