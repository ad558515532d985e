"""Power sensors of the kernel's hwmon subsystem: INA2xx, INA3221 and whatever speaks like them.

Files and units: Documentation/hwmon/sysfs-interface.rst (power in microwatts, current in
milliamperes, voltage in millivolts) and ina2xx.rst (`shunt_resistor` in micro-ohms).
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters import sysfs
from edge_vessel.meters.base import Kind, Meter, Sample, plausible_w


@dataclass(frozen=True)
class _Accuracy:
    """Largest errors of the chip alone, at 25 °C: shares of current and voltage, and offsets.

    `offset_uv` is that at the shunt, `bus_mv` that of the voltage; 0 where the table has none.
    """

    current: float
    voltage: float
    offset_uv: float
    bus_mv: float
    source: str

    def __str__(self) -> str:
        bus = f"{self.bus_mv:g} mV" if self.bus_mv else "not known"
        return (
            f"current {self.current:.2g} %, voltage {self.voltage:.2g} % ({self.source}), "
            f"offset {self.offset_uv:g} uV, of the voltage {bus}; shunt extra"
        )


# From the tables of electrical characteristics in TI's datasheets.
_ACCURACY = {
    "ina219": _Accuracy(1, 1, 200, 0, "SBOS448G, A grade, PGA /8"),
    "ina226": _Accuracy(0.1, 0.1, 10, 7.5, "SBOS547B"),
    "ina231": _Accuracy(0.5, 0.5, 50, 0, "SBOS644"),
    "ina3221": _Accuracy(0.25, 0.25, 80, 16, "SBOS576A"),
}
# Their figure is that of one part, not of the board.
_PARTS = frozenset({"amdgpu", "nouveau", "i915", "xe"})
# Rails that feed all the others (Jetson's names): adding the others would count twice. VIN_SYS_5V0
# of the AGX boards is none: VDD_GPU_SOC and VDD_CPU_CV lie beside it.
_TOTALS = frozenset({"VDD_IN", "POM_5V_IN"})
# Beyond these an INA3221 gives shunt voltages and sums (Documentation/hwmon/ina3221.rst).
_INA3221_CHANNELS = 3
_MICRO = 1e-6


@dataclass(frozen=True)
class _Rail:
    label: str
    power: Path | None
    current: Path
    voltage: Path
    shunt: Path

    def power_w(self) -> float:
        if self.power is not None:
            return plausible_w(sysfs.number(self.power) * _MICRO, str(self.power))
        power_uw = sysfs.number(self.current) * sysfs.number(self.voltage)
        return plausible_w(power_uw * _MICRO, str(self.current))

    def offset_w(self, offset_uv: float) -> float:
        """The error in watts that an offset at the shunt, in microvolts, makes."""
        shunt_uohm = sysfs.number(self.shunt)
        if shunt_uohm <= 0:
            raise DeviceError(f"{self.shunt}: holds {shunt_uohm}; write the shunt's micro-ohms")
        return sysfs.number(self.voltage) / 1000 * offset_uv / shunt_uohm


class HwmonMeter(Meter):
    """One hwmon chip: its total rail where it names one, else the sum of its rails.

    A second chip, such as the AGX boards' second INA3221, is a meter of its own.
    """

    kind: Kind = "measured"

    def __init__(self, folder: Path) -> None:
        """Takes a chip's folder, such as /sys/class/hwmon/hwmon2.

        Raises:
            DeviceError: the chip gives no power.
        """
        self._chip = sysfs.word(folder / "name") or folder.name
        rails = _rails(folder, self._chip)
        if not rails:
            raise DeviceError(f"{folder}: the sensor {self._chip} gives no power; name another")
        self._rails = [rail for rail in rails if rail.label in _TOTALS][:1] or rails
        self.name = f"{self._chip} ({', '.join(rail.label for rail in self._rails)})"
        known = _ACCURACY.get(self._chip)
        self.accuracy = "not known" if known is None else str(known)

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        before_s = time.monotonic()
        power_w = sum(rail.power_w() for rail in self._rails)
        # An I2C sensor takes a millisecond to answer: the middle is nearest to its moment.
        return Sample((before_s + time.monotonic()) / 2, power_w)

    def uncertainty_w(self, power_w: float) -> float | None:
        """See `Meter.uncertainty_w`: of the chip; the shunt's tolerance is not known to it.

        The rails' voltages and their shares of the power are taken to be what they are now.
        """
        known = _ACCURACY.get(self._chip)
        if known is None:
            return None
        try:
            offset_w = sum(rail.offset_w(known.offset_uv) for rail in self._rails)
            share = (known.current + known.voltage) / 100 + self._bus_share(known.bus_mv)
        except DeviceError:
            return None
        return abs(power_w) * share + offset_w

    def _bus_share(self, bus_mv: float) -> float:
        """What an offset of the voltages makes of the power."""
        parts = [(abs(rail.power_w()), sysfs.number(rail.voltage)) for rail in self._rails]
        total_w = sum(watts for watts, _ in parts)
        if not bus_mv or not total_w:
            return 0.0
        if any(watts and millivolts <= 0 for watts, millivolts in parts):
            raise DeviceError(f"{self.name}: power without a voltage; check the sensor's wires")
        return sum(watts * bus_mv / millivolts for watts, millivolts in parts if watts) / total_w


def find(root: Path, part: str = "") -> HwmonMeter | None:
    """The first sensor that answers under `root`/sys/class/hwmon, INA chips before others.

    `part` asks for one by the chip's name ("ina226") or its folder's ("hwmon2").

    Raises:
        DeviceError: there are sensors, and none of them answers.
    """
    folders = sysfs.numbered(root / "sys/class/hwmon", "hwmon")
    folders.sort(key=lambda folder: not sysfs.word(folder / "name").startswith("ina"))
    fault: DeviceError | None = None
    for folder in folders:
        chip = sysfs.word(folder / "name")
        wanted = part in {chip, folder.name} if part else chip not in _PARTS
        if not wanted or not _rails(folder, chip):
            continue
        try:
            meter = HwmonMeter(folder)
            meter.sample()
        except DeviceError as error:
            fault = fault or error
            continue
        return meter
    if fault is not None:
        raise fault
    return None


def _rails(folder: Path, chip: str) -> list[_Rail]:
    found = {
        int(match[2])
        for path in folder.glob("*_input")
        if (match := re.fullmatch(r"(power|curr)([0-9]+)_input", path.name))
    }
    rails = []
    for n in sorted(found):
        if chip == "ina3221" and n > _INA3221_CHANNELS:
            continue
        power, current = folder / f"power{n}_input", folder / f"curr{n}_input"
        voltage = folder / f"in{n}_input"
        if sysfs.word(folder / f"in{n}_enable") == "0":
            continue
        if power.exists() or (current.exists() and voltage.exists()):
            label = sysfs.word(folder / f"in{n}_label") or sysfs.word(folder / f"power{n}_label")
            rail_power = power if power.exists() else None
            # ina3221 has one for each channel, ina2xx one.
            own = folder / f"shunt{n}_resistor"
            shunt = own if own.exists() else folder / "shunt_resistor"
            rails.append(_Rail(label or f"rail {n}", rail_power, current, voltage, shunt))
    return rails
