"""A running V4L2 capture: memory-mapped buffers, and the newest of them."""

import errno
import mmap
import os
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from ctypes import c_int32
from dataclasses import dataclass

from edge_vessel.sources import v4l2

# Few: what waits in a queue is old. Four let the driver fill two while one is copied.
BUFFERS = 4
# Some drivers stamp with another clock than they say; an age beyond this is not believed.
_MAX_AGE_S = 60.0


@dataclass(frozen=True)
class Payload:
    """The bytes of one frame; `captured_s` is wall-clock time at which the driver got it."""

    data: bytes
    captured_s: float


def newest(buffers: Sequence[v4l2.Buffer]) -> v4l2.Buffer | None:
    """The last of dequeued buffers that is whole; None when there is none.

    Drivers hand buffers over in the order in which they were filled; not all count `sequence`.
    """
    whole = [b for b in buffers if b.bytesused and not b.flags & v4l2.BUF_FLAG_ERROR]
    return whole[-1] if whole else None


class Stream:
    """Captures from an open non-blocking node whose format is set; `close` closes the node too.

    Raises:
        OSError: the driver refuses to stream, EBUSY when another process does; the node stays open.
    """

    def __init__(self, fd: int) -> None:
        self.damaged = 0
        self._fd = fd
        self._maps: list[mmap.mmap] = []
        try:
            self._start()
        except OSError:
            self._stop()
            raise

    def _start(self) -> None:
        request = v4l2.RequestBuffers(
            count=BUFFERS, type=v4l2.BUF_TYPE_VIDEO_CAPTURE, memory=v4l2.MEMORY_MMAP
        )
        v4l2.call(self._fd, v4l2.VIDIOC_REQBUFS, request)
        if not request.count:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        for index in range(request.count):
            buffer = self._buffer(index)
            v4l2.call(self._fd, v4l2.VIDIOC_QUERYBUF, buffer)
            self._maps.append(mmap.mmap(self._fd, buffer.length, offset=buffer.m.offset))
            v4l2.call(self._fd, v4l2.VIDIOC_QBUF, buffer)
        v4l2.call(self._fd, v4l2.VIDIOC_STREAMON, c_int32(v4l2.BUF_TYPE_VIDEO_CAPTURE))

    def read(self, deadline_s: float) -> Payload:
        """The newest whole frame, waited for until `deadline_s` of `time.monotonic()`.

        Frames with an error flag are skipped and counted in `damaged`.

        Raises:
            TimeoutError: no frame by then.
            OSError: the device fails; ENODEV when it is gone.
        """
        # Every buffer full: the driver had none left to fill, so even the newest is of unknown age.
        stale = len(self._maps)
        while True:
            self._wait(deadline_s)
            ready = self._dequeue_all()
            chosen = newest(ready)
            self.damaged += sum(bool(b.flags & v4l2.BUF_FLAG_ERROR) for b in ready)
            payload = None if chosen is None or len(ready) == stale else self._payload(chosen)
            for buffer in ready:
                v4l2.call(self._fd, v4l2.VIDIOC_QBUF, self._buffer(buffer.index))
            if payload is not None:
                return payload
            if len(ready) == stale:
                stale = 0

    def close(self) -> None:
        """Stops the stream and closes the node, even when the device is gone."""
        self._stop()
        os.close(self._fd)

    def _stop(self) -> None:
        # Unplugged, or never started: closing is all that is left.
        with suppress(OSError):
            v4l2.call(self._fd, v4l2.VIDIOC_STREAMOFF, c_int32(v4l2.BUF_TYPE_VIDEO_CAPTURE))
        for mapping in self._maps:
            mapping.close()
        self._maps.clear()

    def _wait(self, deadline_s: float) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        events = poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000)
        if not events:
            raise TimeoutError(errno.ETIMEDOUT, "no frame")
        if events[0][1] & select.POLLHUP:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if events[0][1] & select.POLLERR:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _dequeue_all(self) -> list[v4l2.Buffer]:
        ready: list[v4l2.Buffer] = []
        while len(ready) < len(self._maps):
            buffer = self._buffer(0)
            try:
                v4l2.call(self._fd, v4l2.VIDIOC_DQBUF, buffer)
            except BlockingIOError:
                break
            ready.append(buffer)
        return ready

    def _payload(self, buffer: v4l2.Buffer) -> Payload:
        now_s, age_s = time.time(), 0.0
        if buffer.flags & v4l2.BUF_FLAG_TIMESTAMP_MASK == v4l2.BUF_FLAG_TIMESTAMP_MONOTONIC:
            age_s = time.monotonic() - buffer.tv_sec - buffer.tv_usec / 1e6
        if not 0 <= age_s < _MAX_AGE_S:
            age_s = 0.0
        return Payload(self._maps[buffer.index][: buffer.bytesused], now_s - age_s)

    @staticmethod
    def _buffer(index: int) -> v4l2.Buffer:
        return v4l2.Buffer(index=index, type=v4l2.BUF_TYPE_VIDEO_CAPTURE, memory=v4l2.MEMORY_MMAP)
