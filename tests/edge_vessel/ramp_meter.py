"""A meter without hardware, whose power goes up evenly."""

import time
from dataclasses import dataclass, field

from edge_vessel.errors import DeviceError
from edge_vessel.meters import Kind, Meter, Sample


@dataclass
class Ramp(Meter):
    """A meter whose power grows by `slope` watts a second; every `gap`th reading fails."""

    base_w: float = 3.0
    slope: float = 0.0
    gap: int = 0
    delay_s: float = 0.0
    name: str = "ramp"
    kind: Kind = "measured"
    accuracy: str = "exact"
    rate_hz: float = 100.0
    error: float | None = None
    started_s: float = field(default_factory=time.monotonic)
    readings: int = 0
    gone: bool = False

    def sample(self) -> Sample:
        self.readings += 1
        time.sleep(self.delay_s)
        if self.gone or (self.gap and self.readings % self.gap == 0):
            raise DeviceError("/sys/ramp: no answer; is it attached?")
        now_s = time.monotonic()
        return Sample(now_s, self.base_w + self.slope * (now_s - self.started_s))

    def uncertainty_w(self, power_w: float) -> float | None:
        return None if self.error is None else power_w * self.error
