"""The course of the power: every reading of a meter, with the window that it was taken in."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import csv_file
from bench.csv_file import CsvFile
from bench.joules import Figure
from edge_vessel import meters
from edge_vessel.errors import UsageError
from edge_vessel.meters import Energy, Meter, Sample
from edge_vessel.meters.window import PowerWindow

# After work: an engine's threads spin for a while, and governors and GPUs take their time to step
# down.
_SETTLE_S = 1.0
_COLUMNS = ("time_s", "power_w", "window")


@dataclass(frozen=True)
class Reading:
    """`power_w` watts, `at_s` seconds after the first one, in the window of that name."""

    at_s: float
    power_w: float
    window: str


@dataclass(frozen=True)
class PowerTrace:
    """Readings to be drawn; `loaded` tells the windows that are not idle by their names: what to
    call each, and its power in watts, None where it has none."""

    title: str
    readings: Sequence[Reading]
    loaded: Mapping[str, tuple[str, Figure | None]]


class TracedMeter(Meter):
    """Another meter that remembers what it said, and in which window."""

    def __init__(self, meter: Meter) -> None:
        """Covers what `meter` covers."""
        self._meter = meter
        self.name, self.kind, self.accuracy = meter.name, meter.kind, meter.accuracy
        self.rate_hz = meter.rate_hz
        self._window = ""
        self._said: list[tuple[Sample, str]] = []

    @property
    def readings(self) -> list[Reading]:
        """All so far, in order."""
        if not self._said:
            return []
        first_s = self._said[0][0].at_s
        return [Reading(sample.at_s - first_s, sample.power_w, name) for sample, name in self._said]

    def measure(self, window: str, rate_hz: float | None = None) -> PowerWindow:
        """For a `with`: readings are of the window of that name from here on."""
        self._window = window
        return meters.window(window, self, rate_hz=rate_hz)

    def measure_idle(self, window: str, duration_s: float, rate_hz: float | None = None) -> Energy:
        """Lets the machine settle, then measures while this process does nothing."""
        time.sleep(_SETTLE_S)
        with self.measure(window, rate_hz) as idle:
            time.sleep(duration_s)
        return idle.energy

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        sample = self._meter.sample()
        self._said.append((sample, self._window))
        return sample

    def uncertainty_w(self, power_w: float) -> float | None:
        """See `Meter.uncertainty_w`."""
        return self._meter.uncertainty_w(power_w)

    def close(self) -> None:
        """See `Meter.close`."""
        self._meter.close()


def write(path: Path, readings: Iterable[Reading]) -> CsvFile:
    """Raises DeviceError for the disk."""
    rows = ((f"{one.at_s:.4f}", f"{one.power_w:.5f}", one.window) for one in readings)
    return csv_file.write(path, _COLUMNS, rows)


def read(run: Path, named: CsvFile | None) -> list[Reading]:
    """What `write` wrote beside `run`.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    found = []
    for row in csv_file.read(run, named, _COLUMNS):
        try:
            at_s, power_w = map(float, row[:2])
        except ValueError:
            at_s = power_w = math.nan
        if not (math.isfinite(at_s) and math.isfinite(power_w) and row[2].isprintable()):
            raise UsageError(f"{run}: its power trace has no readings in {row!r:.80}")
        found.append(Reading(at_s, power_w, row[2]))
    return found
