"""The board's own sensors, from trees of files as the kernel lays them out."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from meter_trees import MAX_RANGE_UJ, hwmon, rapl, supply
from nobody import as_nobody

from edge_vessel import meters
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters import METERS, NullMeter, find_meter
from edge_vessel.meters.base import Kind
from edge_vessel.meters.hwmon import HwmonMeter
from edge_vessel.meters.powercap import PowercapMeter


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
        "AGX Orin's INA3221: its 5 V rail is one beside the others",
        {"name": "ina3221", "in1_label": "VDD_GPU_SOC", "in1_input": "19000", "curr1_input": "100",
         "in2_label": "VDD_CPU_CV", "in2_input": "19000", "curr2_input": "50",
         "in3_label": "VIN_SYS_5V0", "in3_input": "5000", "curr3_input": "600"},
        5.85,
        "ina3221 (VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0)",
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
    assert list(METERS) == ["hwmon", "pmic", "power_supply", "powercap", "nvml"]


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
    ("vendor", "model", "kind"),
    [
        ("GenuineIntel", 0x3C, "measured"),
        ("GenuineIntel", 0x2A, "estimated"),
        ("AuthenticAMD", 0x11, "estimated"),
    ],
    ids=["Haswell", "Sandy Bridge", "AMD"],
)
def test_what_is_modelled_is_called_an_estimate(
    tmp_path: Path, vendor: str, model: int, kind: Kind
) -> None:
    rapl(tmp_path, [0], vendor, model)
    assert find_meter(tmp_path).kind == kind


def test_a_counter_that_cannot_be_read_is_no_meter(tmp_path: Path) -> None:
    (zone,) = rapl(tmp_path, [0])
    meter = PowercapMeter(tmp_path)
    (zone / "energy_uj").unlink()
    (zone / "energy_uj").mkdir()
    assert isinstance(find_meter(tmp_path), NullMeter)
    with pytest.raises(DeviceError, match="energy_uj: cannot be read: Is a directory"):
        meter.power_w()


def test_a_counter_that_was_reset_is_no_energy(tmp_path: Path) -> None:
    (zone,) = rapl(tmp_path, [MAX_RANGE_UJ // 2])
    meter = PowercapMeter(tmp_path)
    (zone / "energy_uj").write_text("5\n")
    with pytest.raises(DeviceError, match=r"RAPL .* is no board's power"):
        meter.sample()
    (zone / "energy_uj").write_text("1005\n")
    after = meter.sample()
    assert after.counted_j == pytest.approx(0.001)
    assert after.power_w < 0.2
    assert after.resets == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("energy_uj", "n/a", "energy_uj: holds 'n/a', no whole number"),
        ("energy_uj", "", "energy_uj: holds ''"),
        ("max_energy_range_uj", "0", "max_energy_range_uj: holds 0: this counter is unusable"),
        ("max_energy_range_uj", "much", "max_energy_range_uj: holds 'much'"),
    ],
)
def test_a_counter_of_nonsense_is_no_meter(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (zone,) = rapl(tmp_path, [0])
    (zone / name).write_text(f"{content}\n")
    with pytest.raises(DeviceError, match=says):
        meters.find("powercap", tmp_path)
    found = find_meter(tmp_path)
    assert isinstance(found, NullMeter)
    assert says in found.why


def test_a_counter_that_vanishes_in_a_window_leaves_no_joules(tmp_path: Path) -> None:
    (zone,) = rapl(tmp_path, [0])
    meter = PowercapMeter(tmp_path)
    with meters.window("inference", meter, rate_hz=100, root=tmp_path) as window:
        time.sleep(0.2)
        (zone / "energy_uj").unlink()
        time.sleep(0.05)
    assert window.energy.energy_j is None
    assert "energy_uj: cannot be read: No such file" in str(window.energy.why)


@dataclass
class Nonsense:
    what: str
    files: dict[str, str]
    says: str


NONSENSE = [
    Nonsense("text", {"name": "ina226", "power1_input": "n/a"}, "power1_input: holds 'n/a', no"),
    Nonsense("empty", {"name": "ina226", "power1_input": ""}, "holds '', no whole number"),
    Nonsense("endless", {"name": "ina226", "power1_input": "1" * 99}, "no whole number"),
    Nonsense("no float", {"name": "ina226", "power1_input": "1e6"}, "holds '1e6'"),
    Nonsense("a city's", {"name": "ina226", "power1_input": "9" * 15}, "1e.09 W is no board's"),
    Nonsense("backwards", {"name": "ina219", "in1_input": "5000", "curr1_input": "-800"},
             "curr1_input: -4 W is no board's power; swap the wires"),
]  # fmt: skip


@pytest.mark.parametrize("case", NONSENSE, ids=lambda case: case.what)
def test_nonsense_is_no_power(tmp_path: Path, case: Nonsense) -> None:
    hwmon(tmp_path, 0, case.files)
    with pytest.raises(DeviceError, match=case.says):
        meters.find("hwmon", tmp_path)
    found = find_meter(tmp_path)
    assert isinstance(found, NullMeter)
    assert "hwmon0/" in found.why
    assert "--meter serial:DEVICE" in found.why


BATTERY = {"type": "Battery", "status": "Discharging", "power_now": "7500000"}


@pytest.mark.parametrize(
    ("lay_out", "closed"),
    [
        (lambda root: rapl(root, [0])[0], "energy_uj"),
        (lambda root: hwmon(root, 0, {"name": "ina226", "power1_input": "1"}), "power1_input"),
        (lambda root: supply(root, "BAT0", BATTERY), "power_now"),
    ],
    ids=["powercap", "hwmon", "power_supply"],
)
def test_closed_files_name_the_command_that_opens_them(
    lay_out: Callable[[Path], Path], closed: str
) -> None:
    # pytest's own folders are closed to all but their owner.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        path = lay_out(root) / closed
        path.chmod(0)
        with as_nobody():
            found = find_meter(root)
    assert isinstance(found, NullMeter)
    step = f"run as root, or open it: sudo chmod a+r {path}"
    assert f"{path}: cannot be read: Permission denied; {step}" in found.why


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("auto", "ina226 (rail 1)"),
        ("hwmon", "ina226 (rail 1)"),
        ("hwmon:ltc2945", "ltc2945 (rail 1)"),
        ("hwmon:hwmon2", "amdgpu (PPT)"),
        ("powercap", "RAPL (2 packages)"),
        ("powercap:package-1", "RAPL (1 package)"),
        ("none", "none"),
    ],
)
def test_a_meter_by_its_name(tmp_path: Path, spec: str, name: str) -> None:
    rapl(tmp_path, [0, 0])
    hwmon(tmp_path, 0, {"name": "ltc2945", "power1_input": "1"})
    hwmon(tmp_path, 1, {"name": "ina226", "power1_input": "1"})
    hwmon(tmp_path, 2, {"name": "amdgpu", "power1_label": "PPT", "power1_input": "1"})
    assert meters.find(spec, tmp_path).name == name


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("hwmon", DeviceError, "--meter hwmon: this machine has none; attach one"),
        ("hwmon:ina226", DeviceError, "this machine has none"),
        ("powercap:package-7", DeviceError, "this machine has none"),
        ("pmic", DeviceError, "this machine has none"),
        ("power_supply", DeviceError, "this machine has none"),
        ("nvml", DeviceError, "this machine has none"),
        ("nvml:first", UsageError, "a GPU's number"),
        ("watts", UsageError, "'watts': unknown; choose from auto, none, hwmon"),
        ("serial:", UsageError, "unknown"),
        ("https://127.0.0.1/", UsageError, "unknown"),
        ("", UsageError, "unknown"),
    ],
)
def test_a_meter_that_is_not_there(
    tmp_path: Path, spec: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        meters.find(spec, tmp_path)


def test_the_chips_error_and_its_shunts(tmp_path: Path) -> None:
    files = {"name": "ina226", "in1_input": "5000", "power1_input": "6000000"}
    # The offset's share is not known without the shunt.
    assert HwmonMeter(hwmon(tmp_path, 0, files)).uncertainty_w(6.0) is None
    meter = HwmonMeter(hwmon(tmp_path, 0, {**files, "shunt_resistor": "10000"}))
    # SBOS547B: 0.1 % of the current and 0.1 % of the voltage; 10 uV over 10 mOhm are 1 mA, at 5 V;
    # 7.5 mV at 1.2 A.
    assert meter.uncertainty_w(6.0) == pytest.approx(0.012 + 0.005 + 0.009)
    assert meter.uncertainty_w(3.0) == pytest.approx(0.006 + 0.005 + 0.0045)
    assert "offset 10 uV, of the voltage 7.5 mV; shunt extra" in meter.accuracy
    rails = {"name": "ina3221", "in1_input": "5000", "curr1_input": "1000", "in2_input": "12000",
             "curr2_input": "1", "shunt1_resistor": "5000", "shunt2_resistor": "10000"}  # fmt: skip
    meter = HwmonMeter(hwmon(tmp_path, 2, rails))
    # SBOS576A: 16 mV at 1 A and at 1 mA, for 5.012 W.
    assert meter.uncertainty_w(5.012) == pytest.approx(0.02506 + 0.08 + 0.096 + 0.016016)
    dead = {**rails, "in1_input": "0"}
    assert HwmonMeter(hwmon(tmp_path, 3, dead)).uncertainty_w(5.0) is not None
    silent = {"name": "ina226", "in1_input": "0", "power1_input": "1", "shunt_resistor": "10000"}
    assert HwmonMeter(hwmon(tmp_path, 4, silent)).uncertainty_w(5.0) is None
    other = HwmonMeter(hwmon(tmp_path, 1, {"name": "ltc2945", "power1_input": "1"}))
    assert other.uncertainty_w(6.0) is None
