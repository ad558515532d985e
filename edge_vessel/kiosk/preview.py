"""The frame of the capture that runs, for the person to find the camera; nothing of it stays."""

import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import DeviceError
from edge_vessel.field_of_view import FieldOfView

_SIDE_PX = 640
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """`fov`: centre over width and over height, radius over width; None where none was seen."""

    number: int
    jpeg: bytes
    fov: tuple[float, float, float] | None


class Preview:
    """The newest frame. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._frame: tuple[NDArray[np.uint8], FieldOfView | None] | None = None

    def put(self, image: NDArray[np.uint8], fov: FieldOfView | None) -> None:
        """(H, W, 3) uint8 RGB, and where its field of view was last seen."""
        with self._lock:
            self._number += 1
            self._frame = image, fov

    def clear(self) -> None:
        """The capture is over."""
        with self._lock:
            self._frame = None

    def after(self, number: int) -> Picture | None:
        """The newest frame as JPEG; None where none is newer than `number`, or nothing is captured.

        Raises:
            DeviceError: OpenCV makes no JPEG of it.
        """
        with self._lock:
            if self._frame is None or self._number <= number:
                return None
            newest, (image, fov) = self._number, self._frame
        height, width = image.shape[:2]
        scale = min(1.0, _SIDE_PX / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        done, content = cv2.imencode(
            ".jpg", small[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
        )
        if not done:
            raise DeviceError("OpenCV made no JPEG of the preview; see its log")
        circle = None
        if fov is not None:
            circle = fov.centre_x / width, fov.centre_y / height, fov.radius / width
        return Picture(newest, content.tobytes(), circle)
