"""A drawn fundus in motion, for trials and load tests where there is no camera."""

import time
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame

_DEFAULTS = {"width": 720, "height": 600, "fps": 0, "frames": 0, "seed": 0}
_LIMITS = {
    "width": (64, 8192),
    "height": (64, 8192),
    "fps": (0, 1000),
    "frames": (0, 10**9),
    "seed": (0, 2**31),
}
_MAX_DIGITS = 20


def draw_fundus(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: an orange disc, a bright optic disc, branching vessels."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.uint8)
    centre, radius = np.array([width / 2, height / 2]), 0.46 * min(height, width)
    cv2.circle(image, _point(centre), round(radius), (190, 95, 50), cv2.FILLED, cv2.LINE_AA)
    disc = centre + np.array([0.55 * radius, 0.0])
    cv2.circle(image, _point(disc), round(0.16 * radius), (240, 190, 120), cv2.FILLED, cv2.LINE_AA)
    for angle in np.deg2rad([115, 155, 205, 245]):
        _branch(image, random, disc, angle, 1.7 * radius, max(1.0, 0.028 * radius))
    distance = np.hypot(*(np.indices((height, width)).transpose(1, 2, 0) - centre[::-1]).T).T
    image[distance > radius] = 0
    return cv2.GaussianBlur(image, (3, 3), 0)  # type: ignore[return-value]


def _point(at: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))


def _branch(
    image: NDArray[np.uint8],
    random: np.random.Generator,
    start: NDArray[np.float64],
    angle: float,
    length: float,
    calibre: float,
) -> None:
    """Draws one vessel in twelve bending steps; thinner branches leave it on the way."""
    at = start
    for step in range(12):
        angle += random.normal(0, 0.12)
        end = at + length / 12 * np.array([np.cos(angle), -np.sin(angle)])
        thickness = max(1, round(calibre * (1 - step / 16)))
        cv2.line(image, _point(at), _point(end), (120, 35, 25), thickness, cv2.LINE_AA)
        at = end
        if step % 3 == 2 and calibre > 1.0:
            side = random.choice([-1, 1]) * random.uniform(0.5, 0.9)
            _branch(image, random, at, angle + side, 0.4 * length, 0.6 * calibre)


class Synthetic:
    """`synthetic:[width=720][,height=600][,fps=0][,frames=0][,seed=0]`.

    The drawn fundus drifts by a few pixels and flickers, so that no two neighbouring frames are
    alike. With fps=0 frames come as fast as they are read and none is dropped; otherwise it behaves
    as a camera of that rate does. frames=0 goes on for ever.

    Raises:
        UsageError: an unknown option or a value out of range.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        values = dict(_DEFAULTS)
        for name, text in options.items():
            if name not in values:
                raise UsageError(f"synthetic:{name}: unknown option; known: {', '.join(values)}")
            low, high = _LIMITS[name]
            digits = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
            if not digits or not low <= int(text) <= high:
                shown = text if len(text) <= _MAX_DIGITS else f"{text[:_MAX_DIGITS]}..."
                shown = shown if shown.isprintable() else ascii(shown)
                raise UsageError(f"synthetic:{name}={shown}: a whole number from {low} to {high}")
            values[name] = int(text)
        self.uri = "synthetic:" + ",".join(f"{name}={value}" for name, value in values.items())
        self.live = values["fps"] > 0
        self._frames = values["frames"]
        self._period_s = 1.0 / values["fps"] if self.live else 0.0
        self._still = draw_fundus(values["height"], values["width"], values["seed"])
        self._index = 0
        self._due = 0.0

    def open(self) -> None:
        self._due = time.monotonic()

    def read(self, timeout_s: float) -> Frame | None:
        """See `Source.read`; waits until the next frame is due."""
        index = self._index
        if self._frames and index >= self._frames:
            return None
        if self.live:
            time.sleep(min(timeout_s, max(0.0, self._due - time.monotonic())))
            self._due = max(self._due + self._period_s, time.monotonic())
        started = time.perf_counter()
        phase = index / 15
        shift = np.array([[1, 0, 4 * np.cos(phase)], [0, 1, 3 * np.sin(phase)]], np.float32)
        height, width = self._still.shape[:2]
        image = cv2.warpAffine(self._still, shift, (width, height))
        image = cv2.convertScaleAbs(image, alpha=1.0 + 0.05 * np.sin(index))
        self._index += 1
        elapsed_ms = 1e3 * (time.perf_counter() - started)
        return Frame(index, f"frame-{index:06d}", image, time.time(), elapsed_ms)  # type: ignore[arg-type]

    def close(self) -> None:
        pass
