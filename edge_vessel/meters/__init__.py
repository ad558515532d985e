"""Power meters, one file a sensor family; see docs/meters.md for how to attach one.

meter = meters.find("auto")
idle = meters.measure_idle(meter, 10.0)
with meters.window("inference", meter, idle) as w:
    work()
print(w.energy.energy_j, w.energy.above_idle_j, w.energy.why)
"""

import time
from collections.abc import Callable
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters import hwmon, nvml, pmic, power_supply, powercap
from edge_vessel.meters.base import ATTACH, Kind, Meter, NullMeter, Sample
from edge_vessel.meters.http import HttpMeter
from edge_vessel.meters.line_protocol import parse_address
from edge_vessel.meters.serial import SerialMeter
from edge_vessel.meters.window import MIN_SAMPLES, Energy, PowerWindow

# The board's sensors come before the processor's own, which leave out the rest of the board. Each
# takes the root and which of its sensors, "" for any.
METERS: dict[str, Callable[[Path, str], Meter | None]] = {
    "hwmon": hwmon.find,
    "pmic": pmic.find,
    "power_supply": power_supply.find,
    "powercap": powercap.find,
    "nvml": nvml.find,
}
# A GPU's power says nothing of a run on the processor's cores: it is taken by name only.
_AUTO = tuple(name for name in METERS if name != "nvml")
_SPECS = "auto, none, " + ", ".join(METERS) + ", serial:DEVICE, http://ADDRESS/PATH"


def find(spec: str = "auto", root: Path = Path("/")) -> Meter:
    """The meter that a user asks for with `--meter`, asked once.

    Args:
        spec: "auto" (the first that answers, else a `NullMeter`), "none", a family, a family and
            one of its sensors ("hwmon:ina226", "powercap:package-0", "nvml:1"),
            "serial:DEVICE[,baud=N][,accuracy=PERCENT]" or "http://ADDRESS[:PORT]/PATH[,accuracy=P]".
        root: what holds `sys`, `proc` and `usr`, for the board's own sensors.

    Raises:
        UsageError: there is no such kind of meter.
        DeviceError: the meter that was named is not there, or does not answer.
    """
    family, _, part = spec.partition(":")
    if spec == "auto":
        return find_meter(root)
    if spec == "none":
        return NullMeter("switched off by --meter none")
    if family in METERS:
        named = METERS[family](root, part)
        if named is None:
            raise DeviceError(f"--meter {spec}: this machine has none; {ATTACH}")
        return named
    if family == "serial" and part:
        return _answering(SerialMeter(parse_address(part)))
    if family == "http":
        return _answering(HttpMeter(parse_address(spec)))
    raise UsageError(f"--meter {spec!r}: unknown; choose from {_SPECS}")


def find_meter(root: Path = Path("/")) -> Meter:
    """The first meter under `root` that gives a reading, else a `NullMeter` that says why.

    Args:
        root: what holds `sys` and `proc`.
    """
    faults = []
    for name in _AUTO:
        try:
            meter = METERS[name](root, "")
        except DeviceError as error:
            faults.append(str(error))
            continue
        if meter is not None:
            return meter
    return NullMeter("; or ".join([*faults, ATTACH]))


def window(
    name: str,
    meter: Meter | None = None,
    idle: Energy | None = None,
    rate_hz: float | None = None,
    root: Path = Path("/"),
) -> PowerWindow:
    """A window for a `with`; after it `energy` holds what it measured.

    Args:
        name: of what is measured.
        meter: None: `find_meter`.
        idle: what `measure_idle` gave for the same meter, to subtract.
        rate_hz: how often to ask for a sample; None: as often as the meter has news.
        root: what holds `sys` and `proc`.

    Raises:
        UsageError: `idle` is another meter's, or `rate_hz` is not above 0.
    """
    return PowerWindow(meter or find_meter(root), rate_hz, name, idle, root)


def measure_idle(meter: Meter, duration_s: float = 10.0, root: Path = Path("/")) -> Energy:
    """Measures for `duration_s` seconds while this process does nothing, to be subtracted."""
    with window("idle", meter, root=root) as idle:
        time.sleep(duration_s)
    return idle.energy


def _answering(meter: Meter) -> Meter:
    try:
        meter.sample()
    except DeviceError:
        meter.close()
        raise
    return meter


__all__ = [
    "METERS",
    "MIN_SAMPLES",
    "Energy",
    "Kind",
    "Meter",
    "NullMeter",
    "PowerWindow",
    "Sample",
    "find",
    "find_meter",
    "measure_idle",
    "window",
]
