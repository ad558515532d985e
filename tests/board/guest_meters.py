"""Runs on the board: meters on the kernel's own drivers, told in JSON lines."""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from edge_vessel import meters
from edge_vessel.errors import EdgeVesselError

WINDOW_S = 4.0
POLICY = Path("/sys/devices/system/cpu/cpufreq/policy0")
TEST_POWER = Path("/sys/module/test_power/parameters")
BATTERY = Path("/sys/class/power_supply/test_battery")


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def sensor(*arguments: str) -> None:
    command = [sys.executable, "/opt/board/ina226.py", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def supplies() -> None:
    """The kernel's test_power: a battery, a plug and a USB input."""
    subprocess.run(["modprobe", "test_power"], check=True)
    try:
        meters.find("power_supply")
    except EdgeVesselError as error:
        tell(plugged_in=str(error))
    for name in ("ac_online", "usb_online"):
        (TEST_POWER / name).write_text("off")
    (TEST_POWER / "battery_status").write_text("discharging")
    meter = meters.find("power_supply")
    current_ua = int((BATTERY / "current_now").read_text())
    voltage_uv = int((BATTERY / "voltage_now").read_text())
    expected_w = abs(current_ua) * voltage_uv * 1e-12
    tell(battery=meter.name, battery_w=meter.power_w(), expected_battery_w=expected_w)


def ina226() -> None:
    tell(before=meters.find("auto").kind)
    sensor("start", "5.0", "0.4")
    meter = meters.find("auto")
    tell(name=meter.name, kind=meter.kind, accuracy=meter.accuracy, power_w=meter.power_w())
    idle = meters.measure_idle(meter, WINDOW_S)
    sensor("set", "5.0", "1.8")
    Path("/sys/module/fakeboard/parameters/temp").write_text("61000")
    with meters.window("inference", meter, idle) as window:
        Path("/sys/module/fakeboard/parameters/temp").write_text("72000")
        (POLICY / "scaling_max_freq").write_text("600000")
        time.sleep(WINDOW_S)
    tell(idle=asdict(idle), inference=asdict(window.energy))
    with meters.window("changing", meter) as window:
        time.sleep(WINDOW_S / 2)
        sensor("set", "5.0", "0.4")
        time.sleep(WINDOW_S / 2)
    tell(changing=asdict(window.energy))
    with meters.window("vanishing", meter) as window:
        time.sleep(WINDOW_S)
        (device,) = Path("/sys/bus/i2c/drivers/ina2xx").glob("*-0040")
        (device.parent / "unbind").write_text(device.name)
    tell(vanishing=asdict(window.energy))


if __name__ == "__main__":
    subprocess.run(["modprobe", "fakeboard"], check=True)
    ina226()
    supplies()
