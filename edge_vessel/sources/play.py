"""Photographs played as a camera's stream: for demonstrations and tests of what needs a camera."""

import itertools
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources.base import Frame, live_name
from edge_vessel.sources.images import ImageFiles, read_image

_DEFAULTS = {"fps": 15, "hold": 2, "side": 960}
_LIMITS = {"fps": (1, 120), "hold": (1, 3600), "side": (64, 8192)}
_MAX_DIGITS = 5
# Two frames are never further apart than quality.py lets an eye move from one frame to the next,
# however few of them a slow machine looks at; far enough that a photograph is told by its rim.
_DRIFT_OF_WIDTH = 0.003
_DRIFT_HZ = 0.4
_FLICKER = 0.01


class Play:
    """`play:PATH[,fps=15][,hold=2][,side=960]`: the photographs that PATH (a file, a folder or a
    glob) names, each for `hold` seconds, over and over, moving a little as an eye does.

    `side` is the stream's longer side in pixels, at most the photograph's own. PATH is looked at
    anew whenever the stream is opened, so that what stands before this camera can be changed.

    Raises:
        UsageError: an option is unknown or out of range.
    """

    live = True

    def __init__(self, rest: str) -> None:
        self.uri = f"play:{rest}"
        self._pattern, *parts = rest.split(",")
        values = dict(_DEFAULTS)
        for part in parts:
            name, _, text = part.partition("=")
            if name not in values:
                raise UsageError(f"{self.uri}: unknown option {name!r}; known: {', '.join(values)}")
            low, high = _LIMITS[name]
            digits = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
            if not digits or not low <= int(text) <= high:
                raise UsageError(f"{self.uri}: {name}: a whole number from {low} to {high}")
            values[name] = int(text)
        self._period_s, self._side = 1.0 / values["fps"], values["side"]
        self._repeats = values["fps"] * values["hold"]
        self._stills: list[NDArray[np.uint8]] = []
        self._numbers = itertools.count()
        self._due_s = 0.0

    def open(self) -> None:
        """Reads the photographs.

        Raises:
            DeviceError: there is none, or one is damaged; as a camera's, it may come yet.
        """
        try:
            paths = ImageFiles(self._pattern).paths
            self._stills = [self._fitted(read_image(path)) for path in paths]
        except UsageError as error:
            raise DeviceError(str(error)) from error
        self._numbers = itertools.count()
        self._due_s = time.monotonic()

    def read(self, timeout_s: float) -> Frame:
        """See `Source.read`; waits until the next frame is due."""
        time.sleep(min(timeout_s, max(0.0, self._due_s - time.monotonic())))
        self._due_s = max(self._due_s + self._period_s, time.monotonic())
        started_s = time.perf_counter()
        number = next(self._numbers)
        still = self._stills[number // self._repeats % len(self._stills)]
        height, width = still.shape[:2]
        turn = 2 * np.pi * _DRIFT_HZ * number * self._period_s
        reach = _DRIFT_OF_WIDTH * width
        shift = np.array([[1, 0, reach * np.cos(turn)], [0, 1, reach * np.sin(turn) / 2]])
        moved = cv2.warpAffine(still, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
        image = np.asarray(
            cv2.convertScaleAbs(moved, alpha=1 + _FLICKER * np.sin(number)), np.uint8
        )
        captured_s, spent_ms = time.time(), 1e3 * (time.perf_counter() - started_s)
        return Frame(number, live_name(captured_s, number), image, captured_s, spent_ms)

    def close(self) -> None:
        """See `Source.close`."""
        self._stills = []

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        scale = self._side / max(height, width)
        if scale >= 1:
            return image
        size = round(width * scale), round(height * scale)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
