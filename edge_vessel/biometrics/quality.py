"""Is this capture good enough to enrol or to compare, and if not, what should the person do?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView
from edge_vessel.segmenter import Segmentation
from edge_vessel.vessels import Field

Hint = Literal[
    "no_eye", "too_dark", "too_bright", "glare", "too_far", "off_centre", "moving", "out_of_focus",
    "retry",
]  # fmt: skip
HINTS: tuple[Hint, ...] = get_args(Hint)
"""In the order in which they are given: what explains others comes first."""

_DIAMETER_PX = 600  # of the field of view in the reduced photograph that is judged
_RIM_PX = 20  # of that: the rim is bright or dark of itself
# Each limit lies between what photographs of DRIVE, CHASE_DB1, HRF and RIDB have and what the same
# have once degraded; tests/edge_vessel/biometrics holds both against it.
_MIN_FOCUS = 0.28
_MIN_BRIGHTNESS, _MAX_BRIGHTNESS = 26.0, 180.0
_MAX_SATURATED = 0.2
_MAX_GLARE = 0.01
_MIN_CONTRAST = 0.06
_MIN_SHOWN = 0.7
_MIN_SIZE = 0.6
_MIN_DENSITY = 0.04
_MAX_MOTION = 0.01
_MIN_RESPONSE = 0.05  # of the phase correlation; less, and the frames have no shift in common
_WHITE = 230  # of the darkest channel: a reflex is white, an overexposed disc yellow
_SATURATED = 250
_BLACK = 40  # of the frame's lightest per cent where no fundus was found: there is no light
_BLINDED = 0.3  # of such a frame, saturated in all channels


@dataclass(frozen=True)
class Quality:
    """What was measured of one capture; None where there was nothing to measure it on.

    brightness: median green level of the field, 0 to 255.
    saturated, glare: shares of the field that are saturated green, and white.
    contrast: how much darker the vessels are than what lies beside them, as a share of it.
    focus: energy of the finest detail around the vessels over that of detail twice as coarse, at
        one scale of the field of view; independent of brightness and contrast, raised by noise.
    shown: share of the field's circle that the frame shows.
    size: diameter of the field over the frame's shorter side.
    vessel_density: share of the field that is vessel.
    motion: shift since the frame before, in diameters of the field; infinite where the two have
        nothing in common, None without a frame before.
    hint: what is to be changed first; None where the capture is good.
    """

    brightness: float | None
    saturated: float | None
    glare: float | None
    contrast: float | None
    focus: float | None
    shown: float | None
    size: float | None
    vessel_density: float | None
    motion: float | None
    hint: Hint | None


_NOTHING = Quality(None, None, None, None, None, None, None, None, None, hint=None)


def assess(
    image: NDArray[np.uint8], found: Segmentation, before: NDArray[np.uint8] | None = None
) -> Quality:
    """Judges one capture.

    Args:
        image: (H, W, 3) uint8 RGB.
        found: its segmentation.
        before: the camera's frame before this one, in the same size; None for a single picture.
    """
    return judge(image, found.mask, found.fov, before)


def judge(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    fov: FieldOfView | None,
    before: NDArray[np.uint8] | None = None,
) -> Quality:
    """`assess`, by what it needs of a segmentation."""
    if fov is None:
        return replace(_NOTHING, hint=_why_no_eye(image))
    field = Field.of(image, fov)
    view = _View(image, mask, field)
    lit_px = max(1, int(np.count_nonzero(field.lit)))
    quality = Quality(
        brightness=view.brightness(),
        saturated=view.share(view.pixels[..., 1] >= _SATURATED),
        glare=view.share(view.pixels.min(axis=2) >= _WHITE),
        contrast=view.contrast(),
        focus=view.focus(),
        shown=lit_px / (np.pi * fov.radius**2),
        size=field.diameter_px / min(image.shape[:2]),
        vessel_density=int(np.count_nonzero(mask & field.lit)) / lit_px,
        motion=None if before is None else view.motion(before),
        hint=None,
    )
    return replace(quality, hint=next(_faults(quality), None))


def _faults(found: Quality) -> Iterator[Hint]:
    """In the order of HINTS."""
    limits: list[tuple[Hint, float | None, float, float]] = [
        ("too_dark", found.brightness, _MIN_BRIGHTNESS, np.inf),
        ("too_bright", found.brightness, 0.0, _MAX_BRIGHTNESS),
        ("too_bright", found.saturated, 0.0, _MAX_SATURATED),
        ("glare", found.glare, 0.0, _MAX_GLARE),
        ("too_far", found.size, _MIN_SIZE, np.inf),
        ("off_centre", found.shown, _MIN_SHOWN, np.inf),
        ("moving", found.motion, 0.0, _MAX_MOTION),
        ("out_of_focus", found.focus, _MIN_FOCUS, np.inf),
        ("retry", found.contrast, _MIN_CONTRAST, np.inf),
        ("retry", found.vessel_density, _MIN_DENSITY, np.inf),
    ]
    for hint, value, low, high in limits:
        if value is not None and not low <= value <= high:
            yield hint
    if found.focus is None or found.contrast is None:
        yield "retry"


def _why_no_eye(image: NDArray[np.uint8]) -> Hint:
    if (
        np.count_nonzero(image.min(axis=2) >= _SATURATED)
        > _BLINDED * image.shape[0] * image.shape[1]
    ):
        return "too_bright"
    return "too_dark" if np.percentile(image.max(axis=2), 99) < _BLACK else "no_eye"


class _View:
    """The photograph, reduced to one scale of the field of view."""

    def __init__(self, image: NDArray[np.uint8], mask: NDArray[np.bool_], field: Field) -> None:
        scale = _DIAMETER_PX / field.diameter_px
        height, width = image.shape[:2]
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        self.pixels = self._reduced(image)
        lit = np.pad(self._reduced(field.lit.astype(np.uint8) * 255) >= 128, 1).astype(np.uint8)
        distance = cv2.distanceTransform(lit, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
        self._core = distance > _RIM_PX
        self._vessels = (self._reduced(mask.astype(np.uint8) * 255) >= 128).astype(np.uint8)

    def brightness(self) -> float | None:
        green = self.pixels[..., 1][self._core]
        return float(np.median(green)) if green.size else None

    def share(self, chosen: NDArray[np.bool_]) -> float | None:
        """Of the field's core."""
        return float(chosen[self._core].mean()) if self._core.any() else None

    def contrast(self) -> float | None:
        vessel = (self._vessels > 0) & self._core
        beside = (self._grown(4) & ~self._grown(1)) & self._core
        if not vessel.any() or not beside.any():
            return None
        green = self.pixels[..., 1]
        around = float(green[beside].mean())
        return (around - float(green[vessel].mean())) / max(around, 1.0)

    def focus(self) -> float | None:
        around = self._grown(3) & self._core
        if not around.any():
            return None
        green = self.pixels[..., 1].astype(np.float32)
        fine, middle, coarse = (cv2.GaussianBlur(green, (0, 0), sigma) for sigma in (1, 2, 4))
        finest = float(((fine - middle)[around] ** 2).mean())
        coarser = float(((middle - coarse)[around] ** 2).mean())
        return finest / coarser if coarser else None

    def motion(self, before: NDArray[np.uint8]) -> float:
        """The shift of the vessels, by phase correlation; the rim, which stays, is left out."""
        window = cv2.GaussianBlur(self._core.astype(np.float32), (0, 0), _RIM_PX / 2)
        pair = []
        for pixels in (self.pixels, self._reduced(before)):
            green = pixels[..., 1].astype(np.float32)
            fine, coarse = cv2.GaussianBlur(green, (0, 0), 1.5), cv2.GaussianBlur(green, (0, 0), 8)
            pair.append((fine - coarse) * window)
        (dx, dy), response = cv2.phaseCorrelate(*pair)
        return float(np.hypot(dx, dy)) / _DIAMETER_PX if response >= _MIN_RESPONSE else np.inf

    def _reduced(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shrinks = self._size[0] < picture.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, self._size, interpolation=way), np.uint8)

    def _grown(self, by_px: int) -> NDArray[np.bool_]:
        kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
        return np.asarray(cv2.dilate(self._vessels, kernel) > 0)
