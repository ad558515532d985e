"""GStreamer pipelines, CSI cameras above all, run by gst-launch-1.0 as a process of their own.

A driver that hangs hangs that process; the deadline stays ours. The frames come through a pipe as
YUV4MPEG2 (y4menc), which carries its own size: 4:4:4, BT.601 limited range. The width must be a
multiple of four: y4menc of GStreamer 1.22 pads other rows without saying so.
"""

import re
import shlex
import shutil
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources.base import Frame, live_name
from edge_vessel.sources.child_pipe import ChildPipe
from edge_vessel.sources.pixel_formats import Image
from edge_vessel.sources.rtsp import redact

_TAIL = (
    # By way of RGB: from YUV to YUV, videoconvert 1.22 leaves the range as it was, so that the
    # full-range pictures of jpegdec would come out too dark.
    "! videoconvert ! video/x-raw,format=RGB "
    "! videoconvert ! video/x-raw,format=Y444,colorimetry=bt601,width=[4,65536,4] "
    # A leaky queue: whoever reads late gets the newest picture, not a queue of old ones.
    "! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0 "
    "! y4menc ! fdsink fd=1 sync=false"
)
_MAGIC = b"YUV4MPEG2"
_LINE_BYTES = 512
_STALE_S = 0.2
_ELEMENT = re.compile(r"ERROR: from element \S+: ")
_URL = re.compile(r"\w+://[^\s\"']+|\buser-pw=\S+")
# What gst-launch-1.0 says when no retry can help.
_BUILD_ERRORS = ("erroneous pipeline", "could not be constructed")


class GStreamer:
    """A pipeline as a source of RGB frames.

    `pipeline` is what gst-launch-1.0 takes, up to the picture: `libcamerasrc ! video/x-raw,width=
    1280,height=960`. It is split as a shell splits words, and never given to a shell. `open` waits
    `open_timeout_s` seconds at most.
    """

    live = True

    def __init__(self, pipeline: str, open_timeout_s: float = 15.0) -> None:
        self.uri = f"gst:{_URL.sub(_without_password, pipeline)}"
        self._pipeline = pipeline
        self._open_timeout_s = open_timeout_s
        self._child: ChildPipe | None = None
        self._size = (0, 0)
        self._idle_since_s = 0.0
        self._index = 0

    def open(self) -> None:
        """Starts the pipeline and waits until it knows the size of its frames.

        Raises:
            UsageError: gst-launch-1.0 is missing, or the pipeline cannot be built.
            DeviceError: the pipeline fails or delivers nothing in time.
        """
        self.close()
        program = shutil.which("gst-launch-1.0")
        if program is None:
            raise UsageError(
                f"{self.uri}: gst-launch-1.0 is missing; install it: "
                "sudo apt install gstreamer1.0-tools gstreamer1.0-plugins-good"
            )
        try:
            words = shlex.split(self._pipeline)
        except ValueError as error:
            raise UsageError(f"{self.uri}: {error}; check the quotes") from error
        if not words:
            raise UsageError("gst: names no pipeline; write gst:libcamerasrc")
        try:
            child = self._child = ChildPipe([program, "-q", *words, *shlex.split(_TAIL)])
        except OSError as error:
            raise DeviceError(f"{self.uri}: {program} does not start: {error.strerror}") from error
        try:
            header = _read_line(child, time.monotonic() + self._open_timeout_s)
        except TimeoutError as error:
            raise self._silent(self._open_timeout_s) from error
        except ConnectionAbortedError as error:
            raise self._stopped() from error
        if not header.startswith(_MAGIC):
            raise self._failure() or DeviceError(f"{self.uri}: it ended without a picture")
        self._take_header(header)
        self._idle_since_s = time.monotonic()

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame, (H, W, 3) uint8 RGB; None when the pipeline ended in order.

        Raises:
            DeviceError: no frame within `timeout_s`, or the pipeline failed. It is stopped then;
                `open` tries again.
        """
        child = self._child
        if child is None:
            raise DeviceError(f"{self.uri}: the pipeline is stopped; open it first")
        deadline_s = time.monotonic() + timeout_s
        # What stands in the pipe after a pause was taken when the pause began.
        stale = time.monotonic() - self._idle_since_s > _STALE_S and child.readable()
        try:
            planes = self._read_planes(child, deadline_s)
            if stale and planes is not None:
                newer = self._read_planes(child, deadline_s)
                planes = planes if newer is None else newer
        except TimeoutError as error:
            raise self._silent(timeout_s) from error
        except ConnectionAbortedError as error:
            raise self._stopped() from error
        if planes is None:
            failure = self._failure()
            if failure is not None:
                raise failure
            return None
        captured_s, began_s = time.time(), time.perf_counter()
        image = to_rgb(planes)
        capture_ms = (time.perf_counter() - began_s) * 1000
        name = live_name(captured_s, self._index)
        frame = Frame(self._index, name, image, captured_s, capture_ms)
        self._index += 1
        self._idle_since_s = time.monotonic()
        return frame

    def close(self) -> None:
        """Ends the pipeline, by force if need be; harmless when it is closed already.

        Any thread may call it: `open` or `read` in another one fails at once.
        """
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _stopped(self) -> DeviceError:
        return DeviceError(f"{self.uri}: the pipeline was closed")

    def _silent(self, timeout_s: float) -> DeviceError:
        self.close()
        return DeviceError(f"{self.uri}: no frame for {timeout_s:g} s; check the camera")

    def _failure(self) -> DeviceError | UsageError | None:
        """After the end of its output: what the pipeline died of, None when it ended in order."""
        child = self._child
        if child is None:
            return None
        code, text = child.wait(), child.errors.decode("utf-8", "replace")
        self.close()
        if code == 0:
            return None
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        # The first error is the cause, those after it are what it led to.
        told = [line for line in lines if "ERROR" in line or "erroneous" in line]
        reason = told[0] if told else (lines or [f"gst-launch-1.0 ended with exit code {code}"])[-1]
        reason = _URL.sub(_without_password, _ELEMENT.sub("", reason))
        broken = any(part in reason for part in _BUILD_ERRORS)
        return (UsageError if broken else DeviceError)(f"{self.uri}: {reason}")

    def _take_header(self, header: bytes) -> None:
        fields = {word[:1]: word[1:] for word in header.split()[1:]}
        self._size = int(fields[b"W"]), int(fields[b"H"])

    def _read_planes(self, child: ChildPipe, deadline_s: float) -> NDArray[np.uint8] | None:
        """(3, H, W) uint8: Y, Cb, Cr of the next frame; None at the end."""
        line = _read_line(child, deadline_s)
        if line.startswith(_MAGIC):  # the picture's size changed: a header anew
            self._take_header(line)
            line = _read_line(child, deadline_s)
        if line and not line.startswith(b"FRAME"):
            self.close()
            raise DeviceError(f"{self.uri}: no frame where one is due; does an element print?")
        if not line:
            return None
        width, height = self._size
        planes = np.empty((3, height, width), np.uint8)
        target = planes.data.cast("B")
        return planes if child.read_into(target, deadline_s) == len(target) else None


# Rec. ITU-R BT.601-7, clause 2.5: Y in 16..235, Cb and Cr in 16..240 around 128.
_BT601 = np.array(
    [[1.164384, 0.0, 1.596027], [1.164384, -0.391762, -0.812968], [1.164384, 2.017232, 0.0]]
)
_BT601_OFFSET = _BT601 @ np.array([-16.0, -128.0, -128.0])


def to_rgb(planes: NDArray[np.uint8]) -> Image:
    """(3, H, W) uint8 Y, Cb, Cr (BT.601, limited range, 4:4:4) -> (H, W, 3) uint8 RGB."""
    matrix = np.column_stack([_BT601, _BT601_OFFSET])
    return np.asarray(cv2.transform(cv2.merge(tuple(planes)), matrix), np.uint8)


def _without_password(found: re.Match[str]) -> str:
    return redact(found[0]) if "://" in found[0] else "user-pw=***"


def _read_line(child: ChildPipe, deadline_s: float) -> bytes:
    line = bytearray()
    letter = bytearray(1)
    while len(line) < _LINE_BYTES and child.read_into(memoryview(letter), deadline_s):
        if letter == b"\n":
            break
        line += letter
    return bytes(line)
