"""Video files: every frame, in order."""

import os
import time
from pathlib import Path

import cv2
import numpy as np

from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame
from edge_vessel.sources.container import missing_bytes, shown_share
from edge_vessel.sources.rtsp import Rtsp, quiet_ffmpeg

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv")

_MAX_FRAMES = 10**9
_JITTER_MS = 2.0  # Matroska rounds to milliseconds
_STEADY = 0.9  # the share of intervals between frames
_COUNTED = (".mp4", ".m4v", ".mov", ".avi")


class VideoFile:
    """A video file that OpenCV can read as a source of RGB frames; `uri` is its path."""

    live = False

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._path = Path(uri)
        self._capture: cv2.VideoCapture | None = None
        self._index = 0
        self._missing = self._declared = 0
        self._period_ms = self._last_ms = 0.0
        self._steady = 0  # intervals between frames that are as long as the declared rate says

    def open(self) -> None:
        """Opens the file at its first frame.

        Raises:
            UsageError: no such file, not permitted, or no video that can be decoded.
        """
        self.close()
        if self._path.is_dir() or not self._path.exists():
            raise UsageError(f"{self.uri}: no such video file; check the path")
        if not self._path.is_file():  # FFmpeg would wait at a FIFO for ever
            raise UsageError(f"{self.uri}: is not a regular file; name a video file")
        if not os.access(self._path, os.R_OK):
            raise UsageError(f"{self.uri}: permission denied; make it readable")
        self._missing = missing_bytes(self._path)
        quiet_ffmpeg()
        # An absolute path: OpenCV would take "%03d" in a bare name for a sequence of images.
        capture = cv2.VideoCapture(str(self._path.resolve()), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            capture.release()
            raise UsageError(f"{self.uri}: {self._damage() or 'no video that can be decoded'}")
        self._capture, self._index = capture, 0
        self._declared = int(_declared_frames(capture) * shown_share(self._path))
        self._period_ms = 1000 / max(capture.get(cv2.CAP_PROP_FPS), 1e-3)
        self._last_ms, self._steady = 0.0, 0

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, (H, W, 3) uint8 RGB; None at the end. A file does not need the deadline.

        Raises:
            UsageError: the file ends before its headers say so; the next call returns None.
        """
        del timeout_s
        if self._capture is None:
            return None
        began_s = time.perf_counter()
        arrived, picture = self._capture.read()
        if not arrived:
            self.close()
            damage = self._damage() or self._shortfall()
            if damage:
                raise UsageError(f"{self.uri}: {damage}")
            return None
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        self._steady += abs(position_ms - self._last_ms - self._period_ms) < _JITTER_MS
        self._last_ms = position_ms
        image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        capture_ms = (time.perf_counter() - began_s) * 1000
        name = f"{self._path.stem}-{self._index:06d}"
        frame = Frame(self._index, name, image, time.time(), capture_ms)
        self._index += 1
        return frame

    def close(self) -> None:
        """Closes the file; harmless when it is closed already."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _shortfall(self) -> str:
        """What to say when clearly fewer frames came than the headers declare; "" otherwise."""
        missing = self._declared - self._index
        if missing <= max(1, 0.01 * self._declared):
            return ""
        # Containers that hold no count get one from duration and rate, which says nothing when
        # the rate varies: then only an end before the duration counts.
        counted = self._path.suffix.lower() in _COUNTED
        if not counted and self._steady < _STEADY * (self._index - 1):
            end_ms = self._last_ms + 2 * self._period_ms
            if end_ms >= 0.99 * self._declared * self._period_ms:
                return ""
        return (
            f"ends after {self._index} of {self._declared} frames: truncated or damaged; "
            "copy it again"
        )

    def _damage(self) -> str:
        if self._path.stat().st_size == 0:
            return "empty file; copy it again"
        if not self._missing:
            return ""
        return (
            f"truncated: {self._missing} bytes are missing, {self._index} frames could be read; "
            "copy it again"
        )


def _declared_frames(capture: cv2.VideoCapture) -> int:
    """The frames that the container declares; 0 when it says nothing (OpenCV: below zero)."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < _MAX_FRAMES else 0


__all__ = ["VIDEO_SUFFIXES", "Rtsp", "VideoFile"]
