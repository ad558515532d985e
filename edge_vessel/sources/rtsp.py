"""Network cameras over RTSP, with a deadline that is ours.

FFmpeg's own timeouts bound a silent server, not a name that does not resolve; so a thread of ours
does the waiting and is left behind when it is late. It also keeps up with the stream, so that a
frame is never older than the call that asks for it.
"""

import os
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import cv2
import numpy as np

from edge_vessel import abandonable
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources.base import Frame, live_name
from edge_vessel.sources.pixel_formats import Image

_PORTS = {"rtsp": 554, "rtsps": 322}
# FFmpeg gives up by itself after this, so that a thread left behind ends.
_ABANDONED_S = 10.0
# FFmpeg gives up opening a little before our deadline, so that no thread is left behind.
_OPEN_SHARE = 0.9
_SECRET_QUERY = re.compile(r"(?i)(?<![a-z])(pass[a-z]*|pwd|token|key|secret|auth)=[^&;/]*")


def redact(url: str) -> str:
    """The URL without its passwords: those before the host, and those among its parameters."""
    scheme, separator, rest = url.partition("://")
    authority = rest.partition("/")[0]
    port = authority.partition(":")[2]
    # A password may hold a slash or an @: the last @ counts, unless a plain host comes first.
    if "@" in authority or ("@" in rest and port and not port.isdecimal()):
        credentials, _, rest = rest.rpartition("@")
        rest = f"{credentials.partition(':')[0]}:***@{rest}"
    return scheme + separator + _SECRET_QUERY.sub(r"\1=***", rest)


def quiet_ffmpeg() -> None:
    """Keeps FFmpeg's own lines, which hold URLs, off stderr, and OpenCV's warnings on top of them.

    A level set by the user stays.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class Rtsp:
    """A network camera as a source of RGB frames, over TCP; `uri` shows no password.

    `open` waits `open_timeout_s` seconds at most.
    """

    live = True

    def __init__(self, url: str, open_timeout_s: float = 10.0) -> None:
        self.uri = redact(url)
        self._url = url
        self._open_timeout_s = open_timeout_s
        self._reader: _Reader | None = None
        self._index = 0

    def open(self) -> None:
        """Connects and waits for the stream's description; connects anew when it is open.

        Raises:
            UsageError: the URL names no host.
            DeviceError: the server is unreachable, refuses, or does not answer in time.
        """
        self.close()
        try:
            parts = urlsplit(self._url)
            address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        except (ValueError, KeyError) as error:
            raise UsageError(f"{self.uri}: no rtsp:// URL; write rtsp://HOST:PORT/PATH") from error
        if not address[0]:
            raise UsageError(f"{self.uri}: names no host; write rtsp://HOST:PORT/PATH")
        reader = _Reader(self._url, address, self._open_timeout_s)
        failure = reader.wait_open(self._open_timeout_s)
        if failure:
            reader.stop()
            raise DeviceError(f"{self.uri}: {failure}")
        self._reader = reader

    def read(self, timeout_s: float) -> Frame:
        """A frame, (H, W, 3) uint8 RGB, that arrived after this call.

        Raises:
            DeviceError: no frame within `timeout_s`, or the stream broke off. It is closed then;
                `open` tries again.
        """
        if self._reader is None:
            raise DeviceError(f"{self.uri}: the stream is closed; open it first")
        taken = self._reader.take(timeout_s)
        if isinstance(taken, str):
            self.close()
            raise DeviceError(f"{self.uri}: {taken}")
        image, captured_s, capture_ms = taken
        name = live_name(captured_s, self._index)
        frame = Frame(self._index, name, image, captured_s, capture_ms)
        self._index += 1
        return frame

    def close(self) -> None:
        """Leaves the stream; harmless when it is closed already. Does not wait for the network."""
        if self._reader is not None:
            self._reader.stop()
            self._reader = None


def _no_answer(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s; check the network and the camera"


class _Reader:
    """The thread that owns one connection; nobody else touches its `VideoCapture`."""

    def __init__(self, url: str, address: tuple[str, int], open_timeout_s: float) -> None:
        self._url, self._address, self._open_timeout_s = url, address, open_timeout_s
        self._changed = threading.Condition()
        self._opened = self._wanted = self._stopped = False
        self._failure = ""
        self._taken: tuple[Image, float, float] | None = None
        # The prefix says that it may be left behind inside FFmpeg: the process must then end by
        # os._exit, as unwinding such a thread makes C++ abort.
        threading.Thread(target=self._run, name=f"{abandonable.PREFIX}rtsp", daemon=True).start()

    def wait_open(self, timeout_s: float) -> str:
        """Waits for the connection; "" when it stands, else why not."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._opened or self._failure, timeout_s):
                return _no_answer(timeout_s)
            return self._failure

    def take(self, timeout_s: float) -> tuple[Image, float, float] | str:
        """Pixels, wall-clock time and milliseconds of the next frame, or why there is none."""
        with self._changed:
            self._taken, self._wanted = None, True
            self._changed.wait_for(lambda: self._taken or self._failure, timeout_s)
            self._wanted = False
            if self._taken is not None:
                return self._taken
            silent = f"no frame for {timeout_s:g} s; check the network and the camera"
            return self._failure or silent

    def stop(self) -> None:
        """Tells the thread to end; it does at the next frame or timeout."""
        self._stopped = True

    def _run(self) -> None:
        try:
            failure = self._connect_and_read()
        except (OSError, cv2.error) as error:
            failure = getattr(error, "strerror", None) or str(error).splitlines()[0]
            failure = f"{failure}; check host, port and network"
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def _connect_and_read(self) -> str:
        # FFmpeg says neither "refused" nor "unknown name": ask the socket.
        deadline_s = time.monotonic() + _OPEN_SHARE * self._open_timeout_s
        socket.create_connection(self._address, self._open_timeout_s).close()
        quiet_ffmpeg()
        left_s = max(0.1, deadline_s - time.monotonic())
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(left_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(_ABANDONED_S * 1000),
        ]
        # OpenCV asks for rtsp_transport=tcp unless the user's environment says otherwise.
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, timeouts)
        try:
            if not capture.isOpened():
                if time.monotonic() >= deadline_s:
                    return _no_answer(self._open_timeout_s)
                return "the server refuses the stream; check path, user and password"
            with self._changed:
                self._opened = True
                self._changed.notify_all()
            while not self._stopped:
                if not capture.grab():
                    return "the stream broke off; is the camera still on?"
                if self._wanted:
                    self._hand_over(capture)
            return "closed"
        finally:
            capture.release()

    def _hand_over(self, capture: cv2.VideoCapture) -> None:
        captured_s, began_s = time.time(), time.perf_counter()
        arrived, picture = capture.retrieve()
        if not arrived:
            return
        image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        with self._changed:
            self._taken = image, captured_s, (time.perf_counter() - began_s) * 1000
            self._changed.notify_all()
