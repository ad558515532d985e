"""Batteries and inputs of the kernel's power_supply class.

Files and units: Documentation/ABI/testing/sysfs-class-power (microwatts, microamperes,
microvolts). What the board draws is what comes in, plus what batteries give, less what they take.
There is no figure where something feeds the board that cannot be measured: an input that is plugged
in, or one that Linux does not see, where no battery gives anything and no measured input does.
"""

import time
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters import sysfs
from edge_vessel.meters.base import Kind, Meter, Sample, plausible_w

_MICRO = 1e-6
_PICO = 1e-12
_INPUTS = frozenset({"Mains", "USB", "Wireless"})
# Type-C drivers whose current is the one agreed upon with the charger, not the one that flows
# (drivers/usb/typec/tcpm/tcpm.c, drivers/usb/typec/ucsi/psy.c).
_CONTRACTS = ("tcpm-source-psy", "ucsi-source-psy")
# Drivers disagree about the sign of the current: the status tells.
_SIGNS = {"Discharging": 1, "Charging": -1, "Full": 0, "Not charging": 0}


class PowerSupplyMeter(Meter):
    """The balance of a board's measurable inputs and its batteries."""

    kind: Kind = "measured"
    accuracy = "not known; a fuel gauge is good to a few per cent"
    # Fuel gauges have a new figure once a second or less often.
    rate_hz = 2.0

    def __init__(self, root: Path = Path("/"), part: str = "") -> None:
        """Finds the supplies under `root`/sys/class/power_supply; `part` asks for "BAT0" alone.

        Raises:
            DeviceError: none of them can be measured.
        """
        folder = root / "sys/class/power_supply"
        supplies = [path for path in sorted(folder.glob("*")) if _is_the_boards(path)]
        self._inputs = [p for p in supplies if sysfs.word(p / "type") in _INPUTS]
        batteries = [p for p in supplies if sysfs.word(p / "type") in {"Battery", "UPS"}]
        self._batteries = [path for path in batteries if part in {"", path.name}]
        self._measured = [p for p in self._inputs if _can_measure(p) and part in {"", p.name}]
        self._sources = [path for path in self._batteries if _can_measure(path)] + self._measured
        if not self._sources:
            raise DeviceError(f"{folder}: no {part or 'supply'} gives its power")
        self.name = f"power supply ({', '.join(path.name for path in self._sources)})"

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        before_s = time.monotonic()
        for source in self._sources:
            if not source.exists():
                raise DeviceError(f"{source}: is gone; is it still attached?")
        # Others come and go with their plug.
        feeding = [p for p in self._inputs if p.exists() and sysfs.word(p / "online") != "0"]
        for supply in feeding:
            if not _can_measure(supply):
                raise DeviceError(
                    f"{supply}: feeds the board and gives no power; unplug it to measure on battery"
                )
        signs = {battery: _sign(battery) for battery in self._batteries}
        measured = [supply for supply in feeding if supply in self._measured]
        if not measured and 1 not in signs.values():
            raise DeviceError(f"{self.name}: gives nothing now; unplug the charger")
        power_w = sum(_power_w(supply) for supply in measured)
        power_w += sum(sign * _power_w(battery) for battery, sign in signs.items() if sign)
        if power_w < 0:
            raise DeviceError(f"{self.name}: takes more than comes in; unplug the charger")
        return Sample((before_s + time.monotonic()) / 2, plausible_w(power_w, self.name))


def find(root: Path, part: str = "") -> PowerSupplyMeter | None:
    """The board's supplies, None where it has none that could be measured.

    Raises:
        DeviceError: they cannot be measured now, for instance while a charger is plugged in.
    """
    try:
        meter = PowerSupplyMeter(root, part)
    except DeviceError:
        return None
    meter.sample()
    return meter


def _is_the_boards(supply: Path) -> bool:
    # The battery of a wireless mouse has the scope "Device".
    return sysfs.word(supply / "scope") != "Device"


def _can_measure(supply: Path) -> bool:
    if supply.name.startswith(_CONTRACTS):
        return False
    if (supply / "power_now").exists():
        return True
    return (supply / "current_now").exists() and (supply / "voltage_now").exists()


def _sign(battery: Path) -> int:
    status = sysfs.word(battery / "status")
    if status not in _SIGNS:
        raise DeviceError(f"{battery}/status: {status!r}: neither given nor taken; wait for it")
    return _SIGNS[status]


def _power_w(supply: Path) -> float:
    if (supply / "power_now").exists():
        return abs(sysfs.number(supply / "power_now")) * _MICRO
    current_ua = abs(sysfs.number(supply / "current_now"))
    return current_ua * sysfs.number(supply / "voltage_now") * _PICO
