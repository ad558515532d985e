"""Power sensors of the kernel's hwmon subsystem: INA2xx, INA3221 and whatever speaks like them.

Files and units: Documentation/hwmon/sysfs-interface.rst (power in microwatts, current in
milliamperes, voltage in millivolts).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters.base import Kind

# Of the chip alone, from the tables of electrical characteristics in TI's datasheets; its offset at
# small currents and the shunt's tolerance come on top.
_ACCURACY = {
    "ina219": "current 1 %, voltage 1 % (SBOS448G, A grade), offset and shunt extra",
    "ina226": "current 0.1 %, voltage 0.1 % (SBOS547B), offset and shunt extra",
    "ina3221": "current 0.25 %, voltage 0.25 % (SBOS576A), offset and shunt extra",
}
# Their figure is that of one part, not of the board.
_PARTS = frozenset({"amdgpu", "nouveau", "i915", "xe"})
# Rails that feed all the others (Jetson's names): adding the others would count twice.
_TOTALS = frozenset({"VDD_IN", "POM_5V_IN", "VIN_SYS_5V0"})
# Beyond these an INA3221 gives shunt voltages and sums (Documentation/hwmon/ina3221.rst).
_INA3221_CHANNELS = 3
_MICRO = 1e-6


@dataclass(frozen=True)
class _Rail:
    label: str
    power: Path | None
    current: Path
    voltage: Path

    def power_w(self) -> float:
        if self.power is not None:
            return _read(self.power) * _MICRO
        return _read(self.current) * _read(self.voltage) * _MICRO


class HwmonMeter:
    """One hwmon chip: its total rail where it names one, else the sum of its rails."""

    kind: Kind = "measured"

    def __init__(self, folder: Path) -> None:
        """Takes a chip's folder, such as /sys/class/hwmon/hwmon2.

        Raises:
            DeviceError: the chip gives no power.
        """
        chip = _text(folder / "name") or folder.name
        rails = _rails(folder, chip)
        if not rails:
            raise DeviceError(f"{folder}: the sensor {chip} gives no power")
        self._rails = [rail for rail in rails if rail.label in _TOTALS][:1] or rails
        self.name = f"{chip} ({', '.join(rail.label for rail in self._rails)})"
        self.accuracy = _ACCURACY.get(chip, "not known")

    def power_w(self) -> float:
        """See `Meter.power_w`."""
        return sum(rail.power_w() for rail in self._rails)


def find(root: Path) -> HwmonMeter | None:
    """The first sensor that answers under `root`/sys/class/hwmon, INA chips before others."""
    folders = (root / "sys/class/hwmon").glob("hwmon*")
    chips = sorted((not (_text(f / "name") or "").startswith("ina"), f.name, f) for f in folders)
    for _, _, folder in chips:
        if _text(folder / "name") in _PARTS:
            continue
        try:
            meter = HwmonMeter(folder)
            meter.power_w()
        except DeviceError:
            continue
        return meter
    return None


def _rails(folder: Path, chip: str) -> list[_Rail]:
    found = {
        int(match[2])
        for path in folder.glob("*_input")
        if (match := re.fullmatch(r"(power|curr)(\d+)_input", path.name))
    }
    rails = []
    for n in sorted(found):
        if chip == "ina3221" and n > _INA3221_CHANNELS:
            continue
        power, current = folder / f"power{n}_input", folder / f"curr{n}_input"
        voltage = folder / f"in{n}_input"
        if _text(folder / f"in{n}_enable") == "0":
            continue
        if power.exists() or (current.exists() and voltage.exists()):
            label = _text(folder / f"in{n}_label") or _text(folder / f"power{n}_label")
            rail_power = power if power.exists() else None
            rails.append(_Rail(label or f"rail {n}", rail_power, current, voltage))
    return rails


def _read(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeviceError(f"{path}: the power sensor does not answer: {reason}") from error


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
