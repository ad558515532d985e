"""A camera whose eye and whose faults a test sets while it runs."""

import itertools
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.sources.base import Frame

_PERIOD_S = 0.03


class EyeCamera:
    """`image` (H, W, 3) uint8 RGB is what it sees; the next read raises `fault`, once."""

    uri = "eye:"
    live = True

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.fault: Exception | None = None
        self.is_open = False
        self._numbers = itertools.count()

    def open(self) -> None:
        """Works again after a fault."""
        self.is_open = True

    def read(self, timeout_s: float) -> Frame:
        """A little elsewhere each time."""
        time.sleep(_PERIOD_S)
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        number = next(self._numbers)
        shift = np.array([[1, 0, number % 2], [0, 1, 0]], np.float32)
        seen = cv2.warpAffine(self.image, shift, self.image.shape[1::-1])
        return Frame(number, f"frame-{number}", np.asarray(seen, np.uint8), time.time(), 0.1)

    def close(self) -> None:
        """Releases it."""
        self.is_open = False
