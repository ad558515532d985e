"""The slot between the pipeline, which never waits, and the preview's viewers, who may be slow."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import cv2

from edge_vessel.errors import DeviceError
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.overlay import fitted_overlay
from edge_vessel.sinks.records import (
    CameraRecord,
    FrameRecord,
    camera_record,
    frame_record,
    unreadable_record,
)

_WIDTH_PX = 1280
_HEIGHT_PX = 960
_QUALITY = 85
_RATE_WINDOW_S = 2.0
# Halved chroma would wash out a cyan line one pixel wide.
_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    _QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


@dataclass(frozen=True)
class Status:
    """What `/status` says; `rate_hz` counts the frames of the last two seconds."""

    type: Literal["status"]
    camera: CameraRecord | None
    frame: FrameRecord | None
    frames: int
    rate_hz: float
    viewers: int


class PreviewSlot:
    """The newest result, and its JPEG once somebody has asked for it. Safe between threads."""

    def __init__(self, max_viewers: int) -> None:
        self._max_viewers = max_viewers
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._result: Result | None = None
        self._unreadable: FrameRecord | None = None
        self._event: CameraEvent | None = None
        self._frames = 0
        self._arrivals_s: deque[float] = deque(maxlen=256)
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._viewers = 0
        self._closed = False

    def put(self, result: Result) -> None:
        """Replaces the newest result."""
        with self._changed:
            self._result = result
            self._unreadable = None
            self._frames += 1
            self._arrivals_s.append(time.monotonic())
            self._changed.notify_all()

    def put_unreadable(self, frame: Unreadable) -> None:
        """Keeps the picture; the status tells of the frame that could not be read after it."""
        with self._changed:
            self._unreadable = unreadable_record(frame, time.time())

    def put_event(self, event: CameraEvent) -> None:
        """Replaces the camera's state."""
        with self._changed:
            self._event = event

    def close(self) -> None:
        """Wakes everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def jpeg_after(self, number: int, timeout_s: float) -> tuple[int, bytes] | None:
        """The newest frame's number and JPEG.

        Returns:
            None where no frame newer than `number` came within `timeout_s`, or after `close`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._frames > number, timeout_s)
            if self._closed or self._frames <= number:
                return None
        with self._encoding:
            with self._changed:
                result, newest = self._result, self._frames
            if self._jpeg[0] != newest and result is not None:
                self._jpeg = (newest, _encode(result))
            return self._jpeg

    def status(self) -> Status:
        """What is known now."""
        with self._changed:
            result, event, frame = self._result, self._event, self._unreadable
            frames, viewers = self._frames, self._viewers
            since_s = time.monotonic() - _RATE_WINDOW_S
            rate_hz = sum(arrival_s > since_s for arrival_s in self._arrivals_s) / _RATE_WINDOW_S
        if frame is None and result is not None:
            frame = frame_record(result)
        return Status(
            type="status",
            camera=None if event is None else camera_record(event),
            frame=frame,
            frames=frames,
            rate_hz=rate_hz,
            viewers=viewers,
        )

    @contextmanager
    def viewer(self) -> Iterator[bool]:
        """Holds a viewer's place; gives False where none is free."""
        with self._changed:
            free = self._viewers < self._max_viewers
            self._viewers += free
        try:
            yield free
        finally:
            with self._changed:
                self._viewers -= free


def _encode(result: Result) -> bytes:
    height, width = result.frame.image.shape[:2]
    # The browser enlarges a small photograph for less.
    size = (min(width, _WIDTH_PX), min(height, _HEIGHT_PX))
    picture = fitted_overlay(result.frame.image, result.segmentation.mask, *size)
    done, content = cv2.imencode(".jpg", picture[:, :, ::-1], _JPEG)
    if not done:
        raise DeviceError(f"{result.frame.name}: OpenCV made no JPEG of it for the preview")
    return content.tobytes()
