"""Two captures of one photograph, as two cameras would take them: synthetic mated pairs.

What the cameras see lies wholly in the photograph's field of view, so no border gives them away.
The photograph is one, so noise, focus and the network's mistakes are partly the same in both:
easier than two visits. Rotation, shift, scale, crop, and brightness are harder than most.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

_SIDE = 640  # px of the pictures
_RADIUS_PX = 300.0
_FIELD = 0.6  # the reference's radius in radii of the photograph
_MOST_OFF = 0.2  # of the same: so far are the cameras from its centre, to opposite sides


@dataclass(frozen=True)
class View:
    """Where a camera looks: radii of the photograph's field; gain and bias of its grey levels."""

    x: float
    y: float
    radius: float
    rotation_rad: float
    gain: float
    bias: float


def pair_of_views(rng: np.random.Generator) -> tuple[View, View]:
    """Reference and probe: rotated up to 30 degrees, a scale of 0.8 to 1.25, a shift of up to a
    third of the reference's field, brightness and contrast changed by up to a fifth."""
    angle, off = rng.uniform(0, 2 * np.pi), _MOST_OFF * np.sqrt(rng.random())
    x, y = off * np.cos(angle), off * np.sin(angle)
    scale, turn = np.exp(rng.uniform(np.log(0.8), np.log(1.25))), rng.uniform(-1, 1) * np.pi / 6
    gain, bias = rng.uniform(0.8, 1.2), rng.uniform(-15, 15)
    return View(x, y, _FIELD, 0.0, 1.0, 0.0), View(-x, -y, _FIELD * scale, turn, gain, bias)


def look(image: NDArray[np.uint8], fov: FieldOfView, view: View) -> NDArray[np.uint8]:
    """(640, 640, 3) uint8 RGB: a black frame with the camera's circle."""
    step = view.radius * fov.radius / _RADIUS_PX
    turn = step * np.array(
        [
            [np.cos(view.rotation_rad), -np.sin(view.rotation_rad)],
            [np.sin(view.rotation_rad), np.cos(view.rotation_rad)],
        ]
    )
    target = np.array([fov.centre_x + view.x * fov.radius, fov.centre_y + view.y * fov.radius])
    # Pixel centres lie at half-integers here, at integers in OpenCV.
    shift = target - 0.5 - turn @ np.full(2, _SIDE / 2 - 0.5)
    if step > 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), step / 2), np.uint8)
    seen = cv2.warpAffine(
        image,
        np.column_stack([turn, shift]),
        (_SIDE, _SIDE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    lit = np.clip(seen * view.gain + view.bias, 0, 255)
    lit[~FieldOfView(_SIDE / 2, _SIDE / 2, _RADIUS_PX).mask(_SIDE, _SIDE)] = 0
    return np.asarray(lit, np.uint8)
