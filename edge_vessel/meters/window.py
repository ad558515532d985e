"""A window of measurement: begin, do the work, end, and know its energy."""

import threading
import time
from dataclasses import dataclass

from edge_vessel.errors import DeviceError
from edge_vessel.meters.base import Kind, Meter

MIN_SAMPLES = 10


@dataclass(frozen=True)
class Energy:
    """What a window measured.

    `energy_j` and `mean_power_w` are None with fewer than ten samples, and without a meter.
    `rate_hz` is the rate that was achieved; `missed` counts readings that failed.
    """

    meter: str
    kind: Kind
    accuracy: str
    duration_s: float
    samples: int
    missed: int
    rate_hz: float
    energy_j: float | None
    mean_power_w: float | None


class PowerWindow:
    """Samples a meter in a thread of its own between `begin` and `end`.

    The energy is the trapezoid rule over the samples, the first taken at `begin`, the last at
    `end`, summed as they come: a run may last for months. A window is used once at a time and may
    begin anew after its end.
    """

    def __init__(self, meter: Meter, rate_hz: float = 20.0) -> None:
        """`rate_hz`: how often to ask for a sample."""
        self._meter = meter
        self._period_s = 1.0 / rate_hz
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._samples = self._missed = 0
        self._energy_j = 0.0
        self._first_s = self._last_s = self._last_w = 0.0
        self._begun_s = 0.0

    def begin(self) -> None:
        """Starts to sample."""
        if self._thread is not None:
            raise RuntimeError("the window has begun already")
        self._stop.clear()
        self._samples = self._missed = 0
        self._energy_j = 0.0
        self._begun_s = time.monotonic()
        if self._meter.kind != "none":
            self._sample()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)
        self._thread.start()

    def end(self) -> Energy:
        """Takes the last sample and adds up."""
        if self._thread is None:
            raise RuntimeError("the window has not begun")
        self._stop.set()
        self._thread.join()
        self._thread = None
        if self._meter.kind != "none":
            self._sample()
        duration_s = time.monotonic() - self._begun_s
        energy_j = mean_power_w = None
        if self._samples >= MIN_SAMPLES:
            energy_j = self._energy_j
            mean_power_w = energy_j / (self._last_s - self._first_s)
        return Energy(
            meter=self._meter.name,
            kind=self._meter.kind,
            accuracy=self._meter.accuracy,
            duration_s=duration_s,
            samples=self._samples,
            missed=self._missed,
            rate_hz=self._samples / duration_s,
            energy_j=energy_j,
            mean_power_w=mean_power_w,
        )

    def _run(self) -> None:
        if self._meter.kind == "none":
            return
        due_s = self._begun_s
        while True:
            # A sensor slower than the period is asked again at once, never to catch up.
            due_s = max(due_s + self._period_s, time.monotonic())
            if self._stop.wait(due_s - time.monotonic()):
                return
            self._sample()

    def _sample(self) -> None:
        before_s = time.monotonic()
        try:
            power_w = self._meter.power_w()
        except DeviceError:
            self._missed += 1
            return
        # An I2C sensor takes a millisecond to answer: the middle is nearest to its moment.
        now_s = (before_s + time.monotonic()) / 2
        if self._samples:
            self._energy_j += (now_s - self._last_s) * (self._last_w + power_w) / 2
        else:
            self._first_s = now_s
        self._last_s, self._last_w = now_s, power_w
        self._samples += 1
