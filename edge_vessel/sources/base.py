"""What a source of frames is, and what it hands over."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """One photograph.

    `image` is (H, W, 3) uint8 RGB; `captured_s` is wall-clock time (`time.time()`) at which it was
    taken or read; `capture_ms` is what reading and decoding it cost, waiting left out. `source` is
    the path of a photograph's file, None for a stream.
    """

    index: int
    name: str
    image: NDArray[np.uint8]
    captured_s: float
    capture_ms: float
    source: str | None = None


class Source(Protocol):
    """A stream of frames.

    `live` sources (cameras, network streams) go on whether or not anybody reads: only the newest
    frame counts, and a loss is waited out. The others (files) deliver every frame, then end.
    """

    uri: str
    live: bool

    def open(self) -> None:
        """Opens the stream; opens it anew after a loss.

        Raises:
            UsageError: what the URI names does not exist or cannot be decoded.
            DeviceError: the device is absent, busy or fails.
        """

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, None at the end of the stream.

        Raises:
            UsageError: this frame is unreadable; the next call goes on with the one after it.
            DeviceError: no frame within `timeout_s`, or the device is gone; `open` tries again.
        """

    def close(self) -> None:
        """Releases the device; harmless when it is closed already."""


def live_name(captured_s: float, index: int) -> str:
    """A name that no other run uses: UTC time and number, "20260131T120000Z-000012"."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(captured_s))}-{index:06d}"
