"""A camera whose eye and whose faults a test sets while it runs."""

import itertools
import time
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.eye_streams import Shot
from edge_vessel.errors import DeviceError
from edge_vessel.sources.base import Frame

_PERIOD_S = 0.03


class StreamCamera:
    """Plays simulated shots at their times, from the first at each opening."""

    uri = "stream:"
    live = True

    def __init__(self, stream: list[Shot]) -> None:
        self._stream = stream
        self._left: deque[Shot] = deque()
        self._opened_s = 0.0

    def open(self) -> None:
        """Begins anew."""
        self._left, self._opened_s = deque(self._stream), time.monotonic()

    def read(self, timeout_s: float) -> Frame:
        """Waits for the next."""
        if not self._left:
            raise DeviceError("the simulation is over")
        shot = self._left.popleft()
        time.sleep(max(0.0, self._opened_s + shot.time_s - time.monotonic()))
        number = len(self._stream) - len(self._left)
        return Frame(number, f"frame-{number}", shot.image, time.time(), 0.1)

    def close(self) -> None:
        """Nothing is held."""


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
