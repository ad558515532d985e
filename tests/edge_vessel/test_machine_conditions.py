"""The machine's state before, during and after a window: temperature, clocks, what slows it."""

import time
from pathlib import Path

import pytest
from meter_trees import lay
from ramp_meter import Ramp

from edge_vessel import meters
from edge_vessel.meters.conditions import Conditions, CourseKeeper, read_conditions

POLICY = "sys/devices/system/cpu/cpufreq/policy"
ZONE = "sys/class/thermal/thermal_zone0"
COOLER = "sys/class/thermal/cooling_device0"
BOARD = {
    f"{POLICY}0/scaling_cur_freq": "1416000",
    f"{POLICY}4/scaling_cur_freq": "1800000",
    f"{ZONE}/type": "cpu-thermal",
    f"{ZONE}/temp": "51000",
    f"{COOLER}/type": "cpufreq-cpu4",
    f"{COOLER}/cur_state": "0",
    f"{COOLER}/max_state": "7",
    "usr/bin/vcgencmd": "#!/bin/sh\necho throttled=$(cat $(dirname $0)/flags)",
    "usr/bin/flags": "0x0",
}


def test_the_machine_before_during_and_after(tmp_path: Path) -> None:
    lay(tmp_path, BOARD)
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    with meters.window("inference", Ramp(), root=tmp_path) as window:
        lay(tmp_path, {f"{ZONE}/temp": "84000", f"{COOLER}/cur_state": "3"})
        lay(tmp_path, {f"{POLICY}4/scaling_cur_freq": "1200000"})
        time.sleep(1.3)
        lay(tmp_path, {f"{ZONE}/temp": "80000", "usr/bin/flags": "0x40000"})
    energy = window.energy
    assert energy.before == Conditions(51.0, (1416.0, 1800.0), (), ())
    assert energy.after == Conditions(
        80.0, (1416.0, 1200.0), ("throttling has occurred",), ("cpufreq-cpu4 at 3 of 7",)
    )
    assert energy.during.looks >= 1
    assert energy.during.hottest_c == 84.0
    assert energy.during.min_mhz == (1416.0, 1200.0)
    assert energy.during.slowed_by == ("cpufreq-cpu4",)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert read_conditions(tmp_path) == Conditions(None, (), None, ())


def test_the_course_keeps_extremes_means_and_causes() -> None:
    keeper = CourseKeeper()
    keeper.add(Conditions(50.0, (600.0,), ("under-voltage", "throttling has occurred"), ()))
    keeper.add(Conditions(70.0, (1800.0,), None, ("cpufreq-cpu0 at 1 of 3",)))
    keeper.add(Conditions(None, (1200.0,), None, ("cpufreq-cpu0 at 2 of 3",)))
    course = keeper.course()
    assert (course.looks, course.hottest_c) == (3, 70.0)
    assert (course.min_mhz, course.mean_mhz) == ((600.0,), (1200.0,))
    assert course.slowed_by == ("cpufreq-cpu0", "under-voltage")
    keeper.add(Conditions(None, (600.0, 900.0), None, ()))
    assert keeper.course().mean_mhz == (600.0, 900.0)
    assert keeper.course().looks == 4


@pytest.mark.parametrize("seen_c", [[0.0, -10.0], [-10.0, 0.0], [-10.0, None, 0.0]], ids=str)
def test_a_course_in_the_cold(seen_c: list[float | None]) -> None:
    keeper = CourseKeeper()
    for celsius in seen_c:
        keeper.add(Conditions(celsius, (), None, ()))
    assert keeper.course().hottest_c == 0.0
