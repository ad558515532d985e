"""A camera straight through V4L2, with a deadline that is ours.

OpenCV's `VideoCapture.read` may block or repeat the last picture for ever once the cable is out.
"""

import errno
import os
import threading
import time

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources.base import Frame, live_name
from edge_vessel.sources.camera_list import CameraInfo, explain, list_cameras, open_camera
from edge_vessel.sources.camera_mode import Mode, choose_mode, set_mode
from edge_vessel.sources.pixel_formats import decode
from edge_vessel.sources.v4l2_stream import Payload, Stream

# A healthy camera lets go in milliseconds; the control messages to a hung one take five seconds.
_RELEASE_S = 6.0
_RELEASE_SOON_S = 0.2


class Camera:
    """A camera as a source of RGB frames.

    `device` is an index ("0" is /dev/video0), a node, or a link such as /dev/v4l/by-id/... .
    `size` is (width, height) in pixels, None for the largest; `fps` the rate to ask for;
    `pixel_format` a fourcc, None for the best one. A picture whose bytes stay the same for longer
    than `freeze_timeout_s` counts as a hung camera; 0 turns that off.

    An index or /dev/videoN names the camera found there by the first `open`. After a loss that
    same camera is looked for under every node, because it may come back under another number; no
    other camera takes its place. A link is followed anew each time.
    """

    live = True

    def __init__(
        self,
        device: str,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        freeze_timeout_s: float = 5.0,
        pixel_format: str | None = None,
    ) -> None:
        self.uri = f"camera:{device}"
        self.info: CameraInfo | None = None
        self.mode = Mode("", (0, 0))
        self.damaged = 0
        self._path = f"/dev/video{device}" if device.isdecimal() else device
        self._size, self._fps, self._pixel_format = size, fps, pixel_format
        self._twins: frozenset[str] = frozenset()
        self._stream: Stream | None = None
        self._releasing: threading.Thread | None = None
        self._index = 0
        self._freeze = FreezeDetector(freeze_timeout_s)

    def open(self) -> None:
        """Opens the camera, sets its format and starts the stream; begins anew when it is open.

        Raises:
            UsageError: it is no camera, or offers no such size or format.
            DeviceError: absent, not permitted, busy, or the driver fails.
        """
        self.close()
        if self._releasing is not None:
            raise DeviceError(f"{self._label()}: the driver hangs; replug the camera")
        path = self._find()
        fd, info = open_camera(path)
        try:
            mode = choose_mode(info.formats, self._size, self._pixel_format)
            self.mode = set_mode(fd, mode, self._fps)
            self._stream = Stream(fd)
        except OSError as error:
            os.close(fd)
            raise explain(self._label(path), path, error) from error
        except (UsageError, DeviceError) as error:
            os.close(fd)
            raise type(error)(f"{self._label(path)}: {error}") from error
        if self.info is None:
            others = (c for c in list_cameras() if c.path != info.path)
            self._twins = frozenset(c.bus for c in others if c.same_camera(info))
        self.info = info
        self._freeze.restart()

    def read(self, timeout_s: float) -> Frame:
        """The newest frame, (H, W, 3) uint8 RGB; damaged ones are skipped and counted in `damaged`.

        Raises:
            DeviceError: no frame within `timeout_s`, the camera is gone, or its picture is frozen.
                The camera is closed then; `open` tries again.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            payload = self._receive(deadline_s, timeout_s)
            began_s = time.perf_counter()
            image = decode(self.mode.fourcc, payload.data, self.mode.size, self.mode.stride)
            if image is None:
                self.damaged += 1
                continue
            capture_ms = (time.perf_counter() - began_s) * 1000
            name = live_name(payload.captured_s, self._index)
            frame = Frame(self._index, name, image, payload.captured_s, capture_ms)
            self._index += 1
            return frame

    def close(self) -> None:
        """Stops the stream and releases the camera; harmless when it is closed already."""
        self._release(_RELEASE_S)

    def _release(self, wait_s: float) -> None:
        """Lets go of the camera in a thread of its own, as a hung one blocks the kernel."""
        if self._stream is not None:
            self._releasing = threading.Thread(target=self._stream.close, daemon=True)
            self._releasing.start()
            self._stream = None
        if self._releasing is not None:
            self._releasing.join(wait_s)
            if not self._releasing.is_alive():
                self._releasing = None

    def _receive(self, deadline_s: float, timeout_s: float) -> Payload:
        label = self._label()
        if self._stream is None:
            raise DeviceError(f"{label}: the camera is closed; open it first")
        stream = self._stream
        flagged = stream.damaged
        try:
            payload = stream.read(deadline_s)
        except TimeoutError as error:
            self._release(_RELEASE_SOON_S)
            damaged = self.damaged + stream.damaged - flagged
            raise DeviceError(
                f"{label}: no frame for {timeout_s:g} s ({damaged} damaged so far); "
                "check the cable and the power supply"
            ) from error
        except OSError as error:
            self._release(_RELEASE_SOON_S)
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise DeviceError(f"{label}: the camera is gone; plug it in again") from error
            raise explain(label, self._node(), error) from error
        finally:
            self.damaged += stream.damaged - flagged
        if self._freeze.frozen(payload.data):
            self._release(_RELEASE_SOON_S)
            raise DeviceError(
                f"{label}: the same picture for {self._freeze.timeout_s:g} s; "
                "the camera hangs: replug it"
            )
        return payload

    def _find(self) -> str:
        """The node to open: the first time what `device` says, then where that camera is now."""
        known = self.info
        if known is None or not self._path.startswith("/dev/video"):
            return self._path
        found = [c for c in list_cameras() if c.same_camera(known) and c.bus not in self._twins]
        found.sort(key=lambda camera: (camera.bus != known.bus, camera.path != known.path))
        if not found:
            raise DeviceError(f"{self._label()}: {known.card!r} is gone; plug it in again")
        return found[0].path

    def _node(self) -> str:
        return self.info.path if self.info else self._path

    def _label(self, path: str | None = None) -> str:
        node = path or self._node()
        return f"{self.uri} ({node})"


class FreezeDetector:
    """Notices that a camera repeats the same bytes: sensor noise makes no two pictures equal."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._last = b""
        self._since_s = 0.0
        self._was_frozen = False

    def restart(self) -> None:
        """After opening anew. A picture found frozen before stays so until another one comes."""
        if not self._was_frozen:
            self._last = b""

    def frozen(self, payload: bytes, now_s: float | None = None) -> bool:
        """Takes the newest payload; `now_s` is `time.monotonic()`."""
        now_s = time.monotonic() if now_s is None else now_s
        if payload != self._last:
            self._last, self._since_s, self._was_frozen = payload, now_s, False
        elif self.timeout_s and now_s - self._since_s > self.timeout_s:
            self._was_frozen = True
        return self._was_frozen
