"""The baseline: how well two vessel maps correlate over all rotations, scales and shifts.

The maps, less their mean inside the field, are multiplied shift by shift with one FFT per pose, and
the best is divided by their norms. Around the best pose it is tried anew in finer steps.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.captures import Map

_DIAMETER = 80  # cells to the field's diameter; a vein is two or three wide
_SIDE = 128
_BLUR_CELLS = 1.0
_ROTATIONS_RAD = np.radians(np.arange(-30, 31, 5))
_SCALES = np.geomspace(0.8, 1.25, 6)
_FINER_RAD = np.radians([-2.5, -1.25, 0, 1.25, 2.5])
_FINER_SCALES = (0.975, 1.0, 1.025)


class CorrelatedMap:
    """A vessel map, prepared to be compared."""

    def __init__(self, vessels: Map) -> None:
        step = 2 * vessels.fov.radius / _DIAMETER
        place = np.array([vessels.fov.centre_x, vessels.fov.centre_y]) - 0.5 - step * (_SIDE / 2)
        inverse = np.array([[step, 0, place[0]], [0, step, place[1]]])
        blurred = cv2.GaussianBlur(vessels.mask.astype(np.float32), (0, 0), step * _BLUR_CELLS)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        level = cv2.warpAffine(blurred, inverse, (_SIDE, _SIDE), flags=flags)
        lit = cv2.warpAffine(vessels.lit.astype(np.float32), inverse, (_SIDE, _SIDE), flags=flags)
        inside = lit > 0.5
        mean = float(level[inside].mean()) if inside.any() else 0.0
        self._map = np.where(inside, level - mean, 0).astype(np.float32)
        self._norm = max(float(np.linalg.norm(self._map)), 1e-6)
        self._spectrum = cv2.dft(self._map, flags=cv2.DFT_COMPLEX_OUTPUT)
        self._bank = [self._turned(a, s) for a in _ROTATIONS_RAD for s in _SCALES]

    def correlation(self, reference: "CorrelatedMap") -> float:
        """The best of all poses, at most 1."""
        coarse = [reference._best(*one) for one in self._bank]
        rotation, scale = divmod(int(np.argmax(coarse)), len(_SCALES))
        finer = [
            reference._best(*self._turned(_ROTATIONS_RAD[rotation] + a, _SCALES[scale] * s))
            for a in _FINER_RAD
            for s in _FINER_SCALES
        ]
        return max(*coarse, *finer)

    def _turned(self, angle: float, scale: float) -> tuple[NDArray[np.float32], float]:
        """(spectrum, norm)."""
        centre = (_SIDE / 2, _SIDE / 2)
        way = cv2.getRotationMatrix2D(centre, -float(np.degrees(angle)), float(scale))
        turned = cv2.warpAffine(self._map, way, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
        spectrum = cv2.dft(turned, flags=cv2.DFT_COMPLEX_OUTPUT)
        return np.asarray(spectrum, np.float32), max(float(np.linalg.norm(turned)), 1e-6)

    def _best(self, spectrum: NDArray[np.float32], norm: float) -> float:
        product = cv2.mulSpectrums(self._spectrum, spectrum, 0, conjB=True)
        shifts = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        return float(shifts.max()) / (norm * self._norm)
