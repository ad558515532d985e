import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_vessel.errors import DeviceError
from edge_vessel.meters import METERS, NullMeter, find_meter
from edge_vessel.meters.base import Kind
from edge_vessel.meters.hwmon import HwmonMeter
from edge_vessel.meters.powercap import PowercapMeter
from edge_vessel.meters.window import MIN_SAMPLES, Energy, PowerWindow

MAX_RANGE_UJ = 262_143_328_850


def lay(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


def hwmon(root: Path, number: int, files: dict[str, str]) -> Path:
    lay(root / f"sys/class/hwmon/hwmon{number}", files)
    return root / f"sys/class/hwmon/hwmon{number}"


def rapl(root: Path, packages: list[int], vendor: str = "GenuineIntel") -> list[Path]:
    lay(root, {"proc/cpuinfo": f"processor\t: 0\nvendor_id\t: {vendor}"})
    zones = []
    for number, energy_uj in enumerate(packages):
        zone = root / f"sys/class/powercap/intel-rapl:{number}"
        content = {"energy_uj": str(energy_uj), "max_energy_range_uj": str(MAX_RANGE_UJ)}
        lay(zone, {"name": f"package-{number}", **content})
        lay(zone.parent / f"{zone.name}:0", {"name": "core", **content})
        zones.append(zone)
    return zones


@dataclass
class Chip:
    what: str
    files: dict[str, str]
    power_w: float
    name: str


CHIPS = [
    Chip(
        "INA226 with a power register",
        {"name": "ina226", "in0_input": "9", "in1_input": "5012", "curr1_input": "1200",
         "power1_input": "6010000"},
        6.01,
        "ina226 (rail 1)",
    ),
    Chip(
        "INA219 where the driver gives current and voltage alone",
        {"name": "ina219", "in1_input": "5000", "curr1_input": "800"},
        4.0,
        "ina219 (rail 1)",
    ),
    Chip(
        "Jetson's INA3221: one rail feeds the others",
        {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "1000",
         "in2_label": "VDD_CPU", "in2_input": "5000", "curr2_input": "400",
         "in3_label": "VDD_SOC", "in3_input": "5000", "curr3_input": "300"},
        5.0,
        "ina3221 (VDD_IN)",
    ),
    Chip(
        "INA3221 with independent rails, sums and shunt voltages above 3",
        {"name": "ina3221", "in1_input": "12000", "curr1_input": "100",
         "in2_input": "5000", "curr2_input": "200", "in3_input": "3300", "curr3_input": "1000",
         "in3_enable": "0", "in4_input": "8000", "curr4_input": "300"},
        2.2,
        "ina3221 (rail 1, rail 2)",
    ),
    Chip(
        "another family with the same files",
        {"name": "ltc2945", "power1_input": "2500000"},
        2.5,
        "ltc2945 (rail 1)",
    ),
]  # fmt: skip


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.what)
def test_hwmon_chips(tmp_path: Path, chip: Chip) -> None:
    hwmon(tmp_path, 0, chip.files)
    meter = find_meter(tmp_path)
    assert meter.power_w() == pytest.approx(chip.power_w)
    assert (meter.name, meter.kind) == (chip.name, "measured")
    known = chip.files["name"].startswith("ina")
    assert ("shunt extra" in meter.accuracy) == known


@pytest.mark.parametrize(
    ("chips", "expected"),
    [
        ([{"name": "ltc2945", "power1_input": "1"}, {"name": "ina226", "power1_input": "2"}],
         "ina226 (rail 1)"),
        ([{"name": "amdgpu", "power1_input": "1"}], "none"),
        ([{"name": "coretemp", "temp1_input": "40000"}], "none"),
        ([{"name": "rpi_volt", "in0_lcrit_alarm": "0"}], "none"),
        ([{"name": "ina226", "power1_input": "not yet"}, {"name": "ina219", "power1_input": "2"}],
         "ina219 (rail 1)"),
        ([{"name": "ina219", "curr1_input": "800"}], "none"),
        ([], "none"),
    ],
)  # fmt: skip
def test_which_chip_is_taken(tmp_path: Path, chips: list[dict[str, str]], expected: str) -> None:
    for number, files in enumerate(chips):
        hwmon(tmp_path, number, files)
    assert find_meter(tmp_path).name == expected


def test_a_sensor_that_goes_is_a_device_error(tmp_path: Path) -> None:
    folder = hwmon(tmp_path, 3, {"name": "ina226", "power1_input": "1000000"})
    meter = HwmonMeter(folder)
    assert meter.power_w() == 1.0
    (folder / "power1_input").unlink()
    with pytest.raises(DeviceError, match=r"hwmon3/power1_input.*No such file"):
        meter.power_w()
    with pytest.raises(DeviceError, match="gives no power"):
        HwmonMeter(folder)


def test_the_boards_sensor_comes_before_the_processors(tmp_path: Path) -> None:
    rapl(tmp_path, [1000])
    assert find_meter(tmp_path).name == "RAPL (1 package)"
    hwmon(tmp_path, 0, {"name": "ina226", "power1_input": "2000000"})
    assert find_meter(tmp_path).name == "ina226 (rail 1)"
    assert list(METERS) == ["hwmon", "powercap"]


@pytest.mark.parametrize(
    ("start_uj", "end_uj", "step_uj"),
    [
        (1_000_000, 3_000_000, 2_000_000),
        (MAX_RANGE_UJ - 500_000, 1_499_999, 2_000_000),
        (MAX_RANGE_UJ, 0, 1),
        (5, 5, 0),
    ],
    ids=["plain", "wrapped", "wrapped by one", "idle"],
)
def test_the_energy_counter_wraps(tmp_path: Path, start_uj: int, end_uj: int, step_uj: int) -> None:
    (zone,) = rapl(tmp_path, [start_uj])
    before_s = time.monotonic()
    meter = PowercapMeter(tmp_path)
    after_s = time.monotonic()
    time.sleep(0.05)
    (zone / "energy_uj").write_text(f"{end_uj}\n")
    shortest_s = time.monotonic() - after_s
    power_w = meter.power_w()
    longest_s = time.monotonic() - before_s
    assert step_uj * 1e-6 / longest_s <= power_w <= step_uj * 1e-6 / shortest_s


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    zones = rapl(tmp_path, [0, 0])
    meter = PowercapMeter(tmp_path)
    assert meter.name == "RAPL (2 packages)"
    started_s = time.monotonic()
    time.sleep(0.05)
    for zone in zones:
        (zone / "energy_uj").write_text("1000000")
        (zone.parent / f"{zone.name}:0" / "energy_uj").write_text("900000")
    assert meter.power_w() == pytest.approx(2 / (time.monotonic() - started_s), rel=0.3)


@pytest.mark.parametrize(
    ("vendor", "kind"), [("GenuineIntel", "measured"), ("AuthenticAMD", "estimated")]
)
def test_what_amd_models_is_called_an_estimate(tmp_path: Path, vendor: str, kind: Kind) -> None:
    rapl(tmp_path, [0], vendor)
    assert find_meter(tmp_path).kind == kind


def test_a_counter_that_cannot_be_read_is_no_meter(tmp_path: Path) -> None:
    (zone,) = rapl(tmp_path, [0])
    meter = PowercapMeter(tmp_path)
    (zone / "energy_uj").unlink()
    (zone / "energy_uj").mkdir()
    assert isinstance(find_meter(tmp_path), NullMeter)
    with pytest.raises(DeviceError, match="energy_uj: the energy counter cannot be read"):
        meter.power_w()


def test_without_a_meter_there_are_no_joules(tmp_path: Path) -> None:
    meter = find_meter(tmp_path)
    assert (meter.name, meter.kind) == ("none", "none")
    with pytest.raises(DeviceError, match="no power meter"):
        meter.power_w()
    window = PowerWindow(meter, rate_hz=1000)
    window.begin()
    time.sleep(0.03)
    energy = window.end()
    assert (energy.energy_j, energy.mean_power_w, energy.samples) == (None, None, 0)


@dataclass
class Ramp:
    """A meter whose power grows by `slope` watts a second; every `gap`th reading fails."""

    base_w: float = 3.0
    slope: float = 0.0
    gap: int = 0
    delay_s: float = 0.0
    name: str = "ramp"
    kind: Kind = "measured"
    accuracy: str = "exact"
    started_s: float = field(default_factory=time.monotonic)
    readings: int = 0

    def power_w(self) -> float:
        self.readings += 1
        time.sleep(self.delay_s)
        if self.gap and self.readings % self.gap == 0:
            raise DeviceError("no answer")
        return self.base_w + self.slope * (time.monotonic() - self.started_s)


def measure(meter: Ramp, duration_s: float, rate_hz: float) -> Energy:
    window = PowerWindow(meter, rate_hz)
    window.begin()
    time.sleep(duration_s)
    return window.end()


@pytest.mark.parametrize("slope", [0.0, 10.0, -5.0])
def test_the_trapezoid_rule_is_exact_on_a_ramp(slope: float) -> None:
    meter = Ramp(slope=slope)
    begun_s = time.monotonic() - meter.started_s
    energy = measure(meter, 0.4, rate_hz=100)
    ended_s = time.monotonic() - meter.started_s
    assert energy.samples >= MIN_SAMPLES
    assert energy.energy_j is not None and energy.mean_power_w is not None
    expected_j = 3.0 * (ended_s - begun_s) + slope * (ended_s**2 - begun_s**2) / 2
    assert energy.energy_j == pytest.approx(expected_j, rel=0.03)
    assert energy.mean_power_w == pytest.approx(energy.energy_j / energy.duration_s, rel=0.03)
    assert energy.rate_hz == pytest.approx(energy.samples / energy.duration_s)


def test_too_few_samples_give_no_joules() -> None:
    energy = measure(Ramp(), 0.05, rate_hz=20)
    assert 2 <= energy.samples < MIN_SAMPLES
    assert energy.energy_j is None and energy.mean_power_w is None


def test_a_slow_sensor_lowers_the_rate_and_is_said_so() -> None:
    energy = measure(Ramp(delay_s=0.02), 0.4, rate_hz=1000)
    assert energy.rate_hz < 55
    assert energy.energy_j is not None
    assert math.isclose(energy.energy_j, 3.0 * energy.duration_s, rel_tol=0.15)


def test_readings_that_fail_are_counted() -> None:
    energy = measure(Ramp(gap=3), 0.4, rate_hz=100)
    assert energy.missed > 5
    assert energy.energy_j == pytest.approx(3.0 * energy.duration_s, rel=0.1)


def test_a_window_begins_anew() -> None:
    window = PowerWindow(Ramp(), 200)
    with pytest.raises(RuntimeError, match="not begun"):
        window.end()
    for _ in range(2):
        window.begin()
        with pytest.raises(RuntimeError, match="begun already"):
            window.begin()
        time.sleep(0.1)
        assert window.end().duration_s < 0.3
