"""Sources whose faults a test stages: hardware that stalls, freezes, vanishes, comes back."""

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from edge_vessel.errors import DeviceError
from edge_vessel.sources.base import Frame


class StagedCamera:
    """A live source that plays a script: each entry is what one read does.

    A number is a frame of that width; an exception is raised; a callable is called (to block, say).
    After the script it delivers frames at `period_s` for ever. `opens` is the script of `open`.
    """

    uri = "staged:"
    live = True

    def __init__(
        self,
        script: Sequence[int | Exception | Callable[[], None]],
        opens: Sequence[Exception | None] = (),
        period_s: float = 0.01,
    ) -> None:
        self._script = list(script)
        self._opens = list(opens)
        self._period_s = period_s
        self._index = 0
        self.opened = self.closed = 0
        self.finished = threading.Event()

    def open(self) -> None:
        self.opened += 1
        fault = self._opens.pop(0) if self._opens else None
        if fault is not None:
            raise fault

    def read(self, timeout_s: float) -> Frame | None:
        time.sleep(self._period_s)
        step = self._script.pop(0) if self._script else 64
        if not self._script:
            self.finished.set()
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step()
            raise DeviceError("it came back")
        self._index += 1
        image = np.zeros((48, step, 3), np.uint8)
        return Frame(self._index - 1, f"frame-{self._index:06d}", image, time.time(), 0.1)

    def close(self) -> None:
        self.closed += 1
