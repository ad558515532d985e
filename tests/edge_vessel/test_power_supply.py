"""Batteries and inputs as the kernel's power_supply class lays them out."""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from meter_trees import lay, rapl, supply

from edge_vessel import meters
from edge_vessel.errors import DeviceError

BATTERY = {"type": "Battery", "status": "Discharging", "power_now": "7500000"}
MAINS = {"type": "Mains", "online": "0"}
# A board's input that is measured (an AXP20x), 5 V and 1.2 A.
INPUT = {"type": "USB", "online": "1", "voltage_now": "5000000", "current_now": "1200000"}


@dataclass
class Case:
    what: str
    supplies: dict[str, dict[str, str]]
    power_w: float
    name: str


CASES = [
    Case("a battery", {"BAT0": BATTERY, "AC": MAINS}, 7.5, "BAT0"),
    Case("current and voltage, either sign",
         {"BAT0": {"type": "Battery", "status": "Discharging", "voltage_now": "3700000",
                   "current_now": "-1000000"}}, 3.7, "BAT0"),
    Case("two batteries", {"BAT0": BATTERY, "BAT1": {**BATTERY, "power_now": "500000"}}, 8.0,
         "BAT0, BAT1"),
    Case("an input", {"axp20x-usb": INPUT}, 6.0, "axp20x-usb"),
    Case("an input that feeds a battery as well",
         {"axp20x-usb": INPUT, "bat": {**BATTERY, "status": "Charging", "power_now": "2000000"}},
         4.0, "bat, axp20x-usb"),
    Case("an input that a battery helps",
         {"axp20x-usb": INPUT, "bat": {**BATTERY, "power_now": "2000000"}}, 8.0,
         "bat, axp20x-usb"),
    Case("a full battery at an input",
         {"axp20x-usb": INPUT, "bat": {**BATTERY, "status": "Full"}}, 6.0, "bat, axp20x-usb"),
    Case("two batteries, one at rest",
         {"BAT0": BATTERY, "BAT1": {**BATTERY, "status": "Not charging"}}, 7.5, "BAT0, BAT1"),
    Case("a mouse's battery", {"hid": {**BATTERY, "scope": "Device"}, "BAT0": BATTERY}, 7.5,
         "BAT0"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_supplies(tmp_path: Path, case: Case) -> None:
    for name, files in case.supplies.items():
        supply(tmp_path, name, files)
    meter = meters.find("auto", tmp_path)
    assert (meter.name, meter.kind) == (f"power supply ({case.name})", "measured")
    assert meter.power_w() == pytest.approx(case.power_w)


@pytest.mark.parametrize(
    ("supplies", "says"),
    [
        ({"BAT0": BATTERY, "AC": {**MAINS, "online": "1"}}, "AC: feeds the board and gives no pow"),
        ({"BAT0": {**BATTERY, "status": "Unknown"}}, "BAT0/status: 'Unknown': neither given"),
        ({"BAT0": {**BATTERY, "power_now": "n/a"}}, "BAT0/power_now: holds 'n/a'"),
        ({"BAT0": {**BATTERY, "power_now": "9" * 12}}, "no board's power"),
        ({"BAT0": {**BATTERY, "status": "Charging"}}, "gives nothing now; unplug the charger"),
        ({"BAT0": {**BATTERY, "status": "Full"}}, r"\(BAT0\): gives nothing now; unplug"),
        ({"BAT0": {**BATTERY, "status": "Not charging"}, "AC": MAINS}, "gives nothing now"),
        ({"usb": {**INPUT, "online": "0"}}, r"\(usb\): gives nothing now"),
        (
            {"usb": INPUT, "BAT0": {**BATTERY, "status": "Charging"}},
            "BAT0, usb.: takes more than comes in; unplug the charger",
        ),
        # What a Type-C driver tells is the contract with the charger, not a current.
        ({"tcpm-source-psy-4-0022": INPUT, "BAT0": BATTERY}, "tcpm-source-psy-4-0022: feeds the"),
    ],
)
def test_supplies_that_cannot_be_measured_now(
    tmp_path: Path, supplies: dict[str, dict[str, str]], says: str
) -> None:
    for name, files in supplies.items():
        supply(tmp_path, name, files)
    with pytest.raises(DeviceError, match=says):
        meters.find("power_supply", tmp_path)
    found = meters.find("auto", tmp_path)
    assert isinstance(found, meters.NullMeter)
    assert re.search(says, found.why)
    # What the processor counts is better than nothing.
    rapl(tmp_path, [0])
    assert meters.find("auto", tmp_path).name == "RAPL (1 package)"


@pytest.mark.parametrize(
    ("part", "status", "power_w"), [("BAT0", "Discharging", 7.5), ("usb", "Full", 6.0)]
)
def test_one_of_two_that_can_be_measured(
    tmp_path: Path, part: str, status: str, power_w: float
) -> None:
    supply(tmp_path, "BAT0", {**BATTERY, "status": status})
    supply(tmp_path, "usb", INPUT)
    meter = meters.find(f"power_supply:{part}", tmp_path)
    assert (meter.name, meter.power_w()) == (f"power supply ({part})", power_w)


def test_a_charging_battery_by_name_says_nothing_of_the_input(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", {**BATTERY, "status": "Charging"})
    supply(tmp_path, "AC", INPUT)
    with pytest.raises(
        DeviceError, match=r"supply \(BAT0\): gives nothing now; unplug the charger"
    ):
        meters.find("power_supply:BAT0", tmp_path)


@pytest.mark.parametrize(
    "supplies",
    [{}, {"AC": MAINS}, {"tcpm-source-psy-4-0022": INPUT}, {"BAT0": {"type": "Battery"}}],
    ids=["none", "a plug", "a contract", "a battery that says nothing"],
)
def test_nothing_to_measure(tmp_path: Path, supplies: dict[str, dict[str, str]]) -> None:
    for name, files in supplies.items():
        supply(tmp_path, name, files)
    assert meters.find("auto", tmp_path).kind == "none"


def test_a_charger_plugged_in_within_the_window_costs_the_joules(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", BATTERY)
    mains = supply(tmp_path, "AC", MAINS)
    meter = meters.find("power_supply:BAT0", tmp_path)
    window = meters.window("inference", meter, rate_hz=200, root=tmp_path)
    window.begin()
    lay(mains, {"online": "1"})
    energy = window.end()
    assert energy.energy_j is None
    assert "AC: feeds the board and gives no power; unplug it" in str(energy.why)


@pytest.mark.parametrize("lost", ["BAT0", "usb"])
def test_a_supply_that_vanishes_is_named(tmp_path: Path, lost: str) -> None:
    supply(tmp_path, "BAT0", {**BATTERY, "status": "Full"})
    supply(tmp_path, "usb", INPUT)
    meter = meters.find("power_supply", tmp_path)
    with meters.window("inference", meter, rate_hz=100, root=tmp_path) as window:
        time.sleep(0.2)
        shutil.rmtree(tmp_path / "sys/class/power_supply" / lost)
        time.sleep(0.05)
    assert window.energy.energy_j is None
    assert f"{lost}: is gone; is it still attached?" in str(window.energy.why)


def test_a_plug_that_is_pulled_with_its_supply_takes_nothing_along(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", BATTERY)
    mains = supply(tmp_path, "AC", MAINS)
    meter = meters.find("power_supply", tmp_path)
    shutil.rmtree(mains)
    assert meter.power_w() == 7.5
