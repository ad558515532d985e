"""Video files: every frame, in order."""

import os
import time
from pathlib import Path

import cv2
import numpy as np

from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame
from edge_vessel.sources.container import missing_bytes
from edge_vessel.sources.rtsp import Rtsp, quiet_ffmpeg

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv")


class VideoFile:
    """A video file that OpenCV can read as a source of RGB frames; `uri` is its path."""

    live = False

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._path = Path(uri)
        self._capture: cv2.VideoCapture | None = None
        self._index = 0
        self._missing = 0

    def open(self) -> None:
        """Opens the file at its first frame.

        Raises:
            UsageError: no such file, not permitted, or no video that can be decoded.
        """
        self.close()
        if self._path.is_dir() or not self._path.exists():
            raise UsageError(f"{self.uri}: no such video file; check the path")
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
            damage = self._damage()
            if damage:
                raise UsageError(f"{self.uri}: {damage}")
            return None
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

    def _damage(self) -> str:
        if self._path.stat().st_size == 0:
            return "empty file; copy it again"
        if not self._missing:
            return ""
        return (
            f"truncated: {self._missing} bytes are missing, {self._index} frames could be read; "
            "copy it again"
        )


__all__ = ["VIDEO_SUFFIXES", "Rtsp", "VideoFile"]
