#!/usr/bin/env python3
"""Runs on the board: a USB camera that plays a folder's pictures, for ever.

    usb_camera.py FOLDER [--fps N] [--yuyv WIDTHxHEIGHT]

It speaks USB/IP to the kernel's vhci-hcd: the kernel enumerates it, uvcvideo binds it, and
/dev/videoN appears as with a real one. To end the process is to pull the cable. The pictures are
.jpg of one size; with --yuyv .raw, two bytes a pixel. Modules: vhci-hcd, uvcvideo.

Sources: USB Device Class Definition for Video Devices 1.1; Documentation/usb/usbip_protocol.rst.
"""

import argparse
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

ATTACH = Path("/sys/devices/platform/vhci_hcd.0/attach")
PORT, DEVICE_ID, HIGH_SPEED = 0, 0x10002, 3
# uvcvideo asks a bulk endpoint for at most 32 packets of 512 bytes.
PAYLOAD_BYTES = 32 * 512
CLOCK_HZ = 48_000_000
UNIT_S = 1e-7  # of frame intervals

# usbip_protocol.rst: a header is 48 bytes, big-endian.
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
HEADER = struct.Struct(">IIIII28s")
EPIPE, ECONNRESET = -32, -104

# USB 2.0, 9.4; Video Class 1.1, A.8.
GET_STATUS, CLEAR_FEATURE, GET_DESCRIPTOR, GET_CONFIGURATION = 0, 1, 6, 8
GET_INTERFACE, SET_INTERFACE = 10, 11
SET_CUR, GET_LEN, GET_INFO = 0x01, 0x85, 0x86
PROBE, COMMIT = 1, 2
STREAMING_INTERFACE = 1
DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, ASSOCIATION = 1, 2, 3, 4, 5, 11
CLASS_INTERFACE = 0x24
END_OF_FRAME, END_OF_HEADER = 0x02, 0x80
YUY2 = b"YUY2\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"


@dataclass(frozen=True)
class Film:
    """Frames as the camera sends them."""

    frames: tuple[bytes, ...]
    width: int
    height: int
    fps: int
    yuyv: bool

    @property
    def frame_bytes(self) -> int:
        """Of the largest."""
        return max(self.width * self.height * 2, *map(len, self.frames))

    @property
    def interval(self) -> int:
        """Between frames, in units of 100 ns."""
        return round(1 / UNIT_S / self.fps)


def descriptor(kind: int, layout: str, *values: int | bytes) -> bytes:
    body = struct.pack(f"<{layout}", *values)
    return bytes([len(body) + 2, kind]) + body


def configuration(film: Film) -> bytes:
    """Video control, one streaming interface, one format, one bulk endpoint."""
    control = class_control()
    streaming = class_streaming(film)
    body = (
        descriptor(ASSOCIATION, "6B", 0, 2, 0x0E, 3, 0, 2)
        + descriptor(INTERFACE, "7B", 0, 0, 0, 0x0E, 1, 0, 2)
        + control
        + descriptor(INTERFACE, "7B", STREAMING_INTERFACE, 0, 1, 0x0E, 2, 0, 0)
        + streaming
        + descriptor(ENDPOINT, "BBHB", 0x81, 2, 512, 0)
    )
    return descriptor(CONFIGURATION, "HBBBBB", 9 + len(body), 2, 1, 0, 0x80, 250) + body


def class_control() -> bytes:
    """A camera (1) whose output goes to USB (2)."""
    camera = descriptor(CLASS_INTERFACE, "BBHBBHHHB3s", 2, 1, 0x0201, 0, 0, 0, 0, 0, 3, bytes(3))
    output = descriptor(CLASS_INTERFACE, "BBHBBB", 3, 2, 0x0101, 0, 1, 0)
    length = 13 + len(camera) + len(output)
    header = descriptor(CLASS_INTERFACE, "BHHIBB", 1, 0x0110, length, CLOCK_HZ, 1, 1)
    return header + camera + output


def class_streaming(film: Film) -> bytes:
    rate = film.frame_bytes * 8 * film.fps & 0xFFFFFFFF
    frame = (1, 0, film.width, film.height, rate, rate, film.frame_bytes, film.interval, 1)
    if film.yuyv:
        form = descriptor(
            CLASS_INTERFACE, "BBB16sBBBBBB", 4, 1, 1, YUY2, 16, 1, 0, 0, 0, 0
        ) + descriptor(CLASS_INTERFACE, "BBBHHIIIIBI", 5, *frame, film.interval)
    else:
        form = descriptor(CLASS_INTERFACE, "BBBBBBBBB", 6, 1, 1, 1, 1, 0, 0, 0, 0) + descriptor(
            CLASS_INTERFACE, "BBBHHIIIIBI", 7, *frame, film.interval
        )
    form += descriptor(CLASS_INTERFACE, "BBBB", 0x0D, 1, 1, 4)
    header = (1, 1, 14 + len(form), 0x81, 0, 2, 0, 0, 0, 1, 0)
    return descriptor(CLASS_INTERFACE, "BBHBBBBBBBB", *header) + form


class Camera:
    """The device: answers control requests, deals the frames out."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._descriptors = {
            (DEVICE, 0): descriptor(
                DEVICE, "HBBBBHHHBBBB", 0x0200, 0xEF, 2, 1, 64, 0x1D6B, 0x0102, 0x0100, 1, 2, 3, 1
            ),
            (CONFIGURATION, 0): configuration(film),
            (STRING, 0): descriptor(STRING, "H", 0x0409),
        }
        for number, text in enumerate(("emulated", "Fundus USB camera", "0001"), 1):
            content = text.encode("utf-16-le")
            self._descriptors[STRING, number] = descriptor(STRING, f"{len(content)}s", content)
        # Video Class 1.1, table 4-75.
        self._probe = struct.pack(
            "<HBBIHHHHHIIIBBBB", 1, 1, 1, film.interval, 0, 0, 0, 0, 32, film.frame_bytes,
            PAYLOAD_BYTES, CLOCK_HZ, 0, 0, 0, 0,
        )  # fmt: skip
        self._frame = self._offset = self._toggle = 0
        self._due_s = 0.0
        self.streams = False

    def control(self, setup: bytes) -> bytes | None:
        """The answer to a request; None refuses it."""
        kind, request, value, index, length = struct.unpack("<BBHHH", setup)
        if not kind & 0x60:
            return self._standard(request, value, length)
        if kind & 0x60 != 0x20 or index & 0xFF != STREAMING_INTERFACE:
            return None
        if value >> 8 not in (PROBE, COMMIT):
            return None
        if request == SET_CUR:
            if value >> 8 == COMMIT:
                self.streams, self._offset, self._due_s = True, 0, time.monotonic()
            return b""
        answers = {GET_INFO: b"\3", GET_LEN: struct.pack("<H", len(self._probe))}
        return answers.get(request, self._probe)[:length]

    def _standard(self, request: int, value: int, length: int) -> bytes | None:
        if request == GET_DESCRIPTOR:
            found = self._descriptors.get((value >> 8, value & 0xFF))
            return None if found is None else found[:length]
        # How uvcvideo ends a stream over a bulk endpoint, and any driver its use of an interface.
        if request in (CLEAR_FEATURE, SET_INTERFACE):
            self.streams = False
        answers = {GET_STATUS: bytes(2), GET_CONFIGURATION: b"\1", GET_INTERFACE: b"\0"}
        return answers.get(request, b"")

    def wait_s(self) -> float:
        """Until the next payload is due."""
        return 0.0 if self._offset else max(0.0, self._due_s - time.monotonic())

    def payload(self, room: int) -> bytes:
        """The next part of a frame, behind its header."""
        frames = self._film.frames
        frame = frames[self._frame % len(frames)]
        part = frame[self._offset : self._offset + room - 2]
        self._offset += len(part)
        ends = self._offset >= len(frame)
        header = bytes([2, END_OF_HEADER | (END_OF_FRAME if ends else 0) | self._toggle])
        if ends:
            self._offset, self._toggle, self._frame = 0, self._toggle ^ 1, self._frame + 1
            self._due_s = max(self._due_s + 1 / self._film.fps, time.monotonic())
        return header + part


class Cable:
    """The socket between camera and kernel.

    The kernel numbers what it submits in rising order. It may take a transfer back before it has
    sent it: such a request is answered when the transfer has come. Answered at once, the transfer
    would be served later, and the kernel lets go of a device that serves what it does not know.
    """

    def __init__(self, camera: Camera, to_kernel: socket.socket) -> None:
        self._camera = camera
        self._socket = to_kernel
        self._waiting: deque[tuple[int, int]] = deque()  # sequence number, room in bytes
        self._newest = 0  # number of what came last
        self._early: dict[int, int] = {}  # what is taken back before it came, by which request

    def serve(self) -> None:
        """Until the kernel lets go of it."""
        while True:
            wait_s = 1.0
            if self._waiting and self._camera.streams:
                wait_s = self._camera.wait_s()
            if select.select([self._socket], [], [], wait_s)[0]:
                self._answer()
            elif self._waiting and self._camera.streams:
                number, room = self._waiting.popleft()
                self._submitted(number, 0, self._camera.payload(room))

    def _answer(self) -> None:
        command, number, _, to_host, endpoint, rest = HEADER.unpack(self._read(HEADER.size))
        if command == SUBMIT:
            length, setup = struct.unpack_from(">I", rest, 4)[0], rest[20:28]
            sent = b"" if to_host else self._read(length)
            self._newest = number
            if number in self._early:
                self._unlinked(self._early.pop(number), ECONNRESET)
                return
            if endpoint:
                self._waiting.append((number, length))
                return
            answer = self._camera.control(setup)
            if answer is None:
                self._submitted(number, EPIPE, b"")
            else:
                self._submitted(number, 0, answer, len(answer) if to_host else len(sent))
        elif command == UNLINK:
            (unwanted,) = struct.unpack_from(">I", rest)
            if unwanted > self._newest:
                self._early[unwanted] = number
                return
            kept = deque(one for one in self._waiting if one[0] != unwanted)
            status = ECONNRESET if len(kept) < len(self._waiting) else 0
            self._waiting = kept
            self._unlinked(number, status)

    def _unlinked(self, number: int, status: int) -> None:
        self._socket.sendall(struct.pack(">5Ii24x", UNLINKED, number, 0, 0, 0, status))

    def _submitted(self, number: int, status: int, data: bytes, length: int | None = None) -> None:
        length = len(data) if length is None else length
        head = struct.pack(">5Ii4I8x", SUBMITTED, number, 0, 0, 0, status, length, 0, 0xFFFFFFFF, 0)
        self._socket.sendall(head + data)

    def _read(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            part = self._socket.recv(length - len(content))
            if not part:
                sys.exit("usb_camera: the kernel has let go of it")
            content += part
        return content


def plug_in() -> socket.socket:
    """The camera's end of the cable; the kernel has the other."""
    cameras, kernels = socket.socketpair()
    ATTACH.write_text(f"{PORT} {kernels.fileno()} {DEVICE_ID} {HIGH_SPEED}")
    kernels.close()
    return cameras


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Width and height, of the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while content[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    height, width = struct.unpack_from(">HH", content, at + 5)
    return width, height


def load(folder: Path, fps: int, yuyv: str | None) -> Film:
    files = sorted(folder.glob("*.raw" if yuyv else "*.jpg"))
    if not files:
        sys.exit(f"usb_camera: no picture in {folder}")
    frames = tuple(file.read_bytes() for file in files)
    width, height = map(int, yuyv.split("x")) if yuyv else jpeg_size(frames[0])
    return Film(frames, width, height, fps, yuyv is not None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fps", type=int, default=3)
    parser.add_argument("--yuyv", metavar="WIDTHxHEIGHT")
    options = parser.parse_args()
    Cable(Camera(load(options.folder, options.fps, options.yuyv)), plug_in()).serve()
