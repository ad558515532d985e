"""Who looks at the MJPEG preview: one request, or a browser's side of the stream."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np

from edge_vessel.sinks.mjpeg import MjpegSink


def get(
    sink: MjpegSink, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


class Viewer:
    """A browser's side of /stream."""

    def __init__(self, sink: MjpegSink, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", sink.port))
        self.socket.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)

    def frame(self) -> np.ndarray:
        assert self.file.readline() == b"--frame\r\n"
        head = http.client.parse_headers(self.file)
        assert head["Content-Type"] == "image/jpeg"
        content = self.file.read(int(head["Content-Length"]))
        assert self.file.readline() == b"\r\n"
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert picture is not None
        return picture

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def serving() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if "process_request" in name]


def viewers(sink: MjpegSink) -> int:
    return int(json.loads(get(sink, "/status")[2])["viewers"])
