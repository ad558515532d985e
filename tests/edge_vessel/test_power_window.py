"""Windows of measurement: energy, what is subtracted, what is refused."""

import math
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from meter_trees import MAX_RANGE_UJ, hwmon, rapl
from ramp_meter import Ramp

from edge_vessel import meters
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters import MIN_SAMPLES, Energy, Meter, PowerWindow, Sample, find_meter
from edge_vessel.meters.hwmon import HwmonMeter
from edge_vessel.meters.integral import Integral
from edge_vessel.meters.powercap import PowercapMeter


@dataclass
class Trace:
    """A recording: samples (seconds, watts, joules, resets), the window, and its energy."""

    what: str
    samples: list[tuple[Any, ...]]
    begun_s: float
    ended_s: float
    energy_j: float
    span_w: tuple[float, float]


TRACES = [
    Trace("constant", [(0, 5), (1, 5), (2, 5)], 0, 2, 10, (5, 5)),
    Trace("a triangle", [(0, 0), (1, 4), (2, 0)], 0, 2, 4, (0, 4)),
    Trace("uneven steps", [(0, 2), (0.5, 4), (2, 4)], 0, 2, 1.5 + 6, (2, 4)),
    Trace("the first came late", [(0.5, 2), (2, 2)], 0, 2, 4, (2, 2)),
    Trace("the last came after the end", [(0, 2), (1, 2), (3, 6)], 0, 2, 2 + 3, (2, 2)),
    Trace("the same line twice", [(0, 2), (1, 2), (1, 9), (2, 2)], 0, 2, 4, (2, 2)),
    Trace("a counter", [(0, 9, 100), (1, 4, 104), (2, 6, 110)], 0, 2, 10, (4, 6)),
    Trace("a counter beyond the end", [(0, 9, 0), (1, 4, 4), (3, 5, 14)], 0, 2, 9, (4, 4)),
    Trace("a counter that was reset", [(0, 9, 50), (1, 4, 54), (2, 6, 1)], 0, 2, 4 + 5, (4, 6)),
    Trace("a counter that was reset and has passed the old figure",
          [(0, 4, 0), (1, 4, 4), (2, 6, 4.5, 1), (3, 6, 10.5, 1)], 0, 3, 4 + 5 + 6, (4, 6)),
]  # fmt: skip


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.what)
def test_the_energy_of_recorded_traces(trace: Trace) -> None:
    integral = Integral(trace.begun_s)
    for recorded in trace.samples:
        integral.add(Sample(*recorded), trace.ended_s)
    assert integral.energy_j == pytest.approx(trace.energy_j)
    assert (integral.min_w, integral.max_w) == trace.span_w


def test_without_a_meter_there_are_no_joules(tmp_path: Path) -> None:
    meter = find_meter(tmp_path)
    assert (meter.name, meter.kind) == ("none", "none")
    with pytest.raises(DeviceError, match="no meter: attach one"):
        meter.power_w()
    window = PowerWindow(meter, rate_hz=1000)
    window.begin()
    time.sleep(0.03)
    energy = window.end()
    assert (energy.energy_j, energy.mean_power_w, energy.samples) == (None, None, 0)
    assert (energy.min_power_w, energy.max_power_w, energy.uncertainty_j) == (None, None, None)
    assert energy.why is not None and energy.why.startswith("no meter: attach one, such as an INA2")


def measure(meter: Meter, duration_s: float, rate_hz: float | None = None) -> Energy:
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
    # The edges: how late a busy machine wakes the sampling thread.
    assert energy.energy_j == pytest.approx(expected_j, rel=0.1)
    assert energy.mean_power_w == pytest.approx(energy.energy_j / energy.duration_s, rel=0.03)
    assert energy.rate_hz == pytest.approx(energy.samples / energy.duration_s)


def test_too_few_samples_give_no_joules() -> None:
    energy = measure(Ramp(), 0.05, rate_hz=20)
    assert 2 <= energy.samples < MIN_SAMPLES
    assert energy.energy_j is None and energy.mean_power_w is None
    assert energy.why == (
        f"{energy.samples} samples of ramp in {energy.duration_s:.2f} s, at least 10 needed; "
        "measure for longer"
    )


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


def test_a_sensor_that_vanishes_leaves_no_joules_and_says_why(tmp_path: Path) -> None:
    folder = hwmon(tmp_path, 0, {"name": "ina226", "power1_input": "5000000"})
    with meters.window("inference", HwmonMeter(folder), rate_hz=200, root=tmp_path) as window:
        time.sleep(0.3)
        (folder / "power1_input").unlink()
        time.sleep(0.05)
    energy = window.energy
    assert energy.samples >= MIN_SAMPLES
    assert energy.missed >= 3
    assert (energy.energy_j, energy.mean_power_w, energy.max_power_w) == (None, None, None)
    assert energy.why is not None
    assert "power1_input: cannot be read: No such file" in energy.why
    assert energy.why.endswith("(no reading at the end)")


def test_a_sensor_that_was_away_for_long_leaves_no_joules() -> None:
    meter = Ramp()
    with meters.window("inference", meter) as window:
        time.sleep(0.2)
        meter.gone = True
        time.sleep(1.2)
        meter.gone = False
        time.sleep(0.1)
    assert window.energy.energy_j is None
    assert window.energy.why is not None
    assert window.energy.why.startswith("/sys/ramp: no answer; is it attached? (no reading for 1.")


@dataclass
class Starved(Ramp):
    """Its 15th reading comes late, as where the machine has no time for it."""

    counts: bool = False

    def sample(self) -> Sample:
        if self.readings == 15:
            time.sleep(1.2)
        sample = super().sample()
        return replace(sample, counted_j=sample.at_s * 3.0) if self.counts else sample


def test_a_time_without_readings_is_not_bridged() -> None:
    energy = measure(Starved(), 1.6)
    assert (energy.energy_j, energy.missed) == (None, 0)
    assert str(energy.why).startswith("ramp: too late; run less beside it (no reading for 1.")


def test_a_counter_goes_on_counting() -> None:
    energy = measure(Starved(counts=True), 1.6)
    assert energy.energy_j == pytest.approx(3.0 * energy.duration_s)


def test_a_slow_meter_may_miss_one_reading() -> None:
    meter = Ramp(rate_hz=2.5)
    with meters.window("inference", meter) as window:
        time.sleep(2.1)
        meter.gone = True
        time.sleep(0.8)
        meter.gone = False
        time.sleep(1.6)
    energy = window.energy
    assert energy.missed in {1, 2, 3}
    assert energy.why is None
    assert energy.energy_j == pytest.approx(3.0 * energy.duration_s)


def test_a_slow_meter_that_was_away_for_a_third_of_the_window() -> None:
    """The outage does not lengthen the period that it is compared with."""
    meter = Ramp(rate_hz=4)
    with meters.window("inference", meter) as window:
        time.sleep(1.15)
        meter.gone = True
        time.sleep(1.3)
        meter.gone = False
        time.sleep(1.15)
    assert window.energy.samples >= MIN_SAMPLES
    assert window.energy.energy_j is None
    assert "(no reading for " in str(window.energy.why)


def test_a_sensor_that_comes_only_later_leaves_no_joules() -> None:
    meter = Ramp(gone=True)
    with meters.window("inference", meter) as window:
        time.sleep(1.2)
        meter.gone = False
        time.sleep(0.2)
    assert window.energy.energy_j is None
    assert "no reading for 1." in str(window.energy.why)


def test_a_sensor_that_hangs_does_not_hold_the_run() -> None:
    released = threading.Event()

    class Hanging(Ramp):
        def sample(self) -> Sample:
            if self.readings > 20:
                released.wait()
            return super().sample()

    with PowerWindow(Hanging(), patience_s=0.3) as window:
        time.sleep(0.4)
    released.set()
    assert window.energy.energy_j is None
    assert window.energy.why == "ramp: no answer for 0.3 s; check the sensor's wires"


def test_a_sensor_that_hangs_is_asked_by_one_window_alone() -> None:
    released, asking = threading.Event(), []

    class Hanging(Ramp):
        def sample(self) -> Sample:
            asking.append(threading.current_thread())
            if not released.is_set():
                released.wait()
            return super().sample()

    meter = Hanging()
    for _ in range(2):
        with PowerWindow(meter, patience_s=0.1) as window:
            pass
        assert str(window.energy.why).startswith("ramp: no answer for 0.1 s")
    assert len(asking) == 1
    released.set()
    energy = measure(meter, 0.3)
    assert energy.energy_j == pytest.approx(3.0 * energy.duration_s)
    # The first has ended, the second has not asked any more.
    assert len(set(asking)) == 2


def test_a_silent_sensor_does_not_hold_up_the_end() -> None:
    meter = Ramp()
    with PowerWindow(meter) as window:
        time.sleep(0.2)
        meter.gone, meter.delay_s = True, 1.1
        time.sleep(0.1)
        ended_s = time.monotonic()
    # The reading in hand, and perhaps one more.
    assert time.monotonic() - ended_s < 2.5
    assert window.energy.energy_j is None


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.inf, math.nan], ids=str)
def test_a_rate_that_cannot_be(rate_hz: float) -> None:
    with pytest.raises(UsageError, match="readings a second: choose a rate above 0"):
        meters.window("inference", Ramp(), rate_hz=rate_hz)


def test_a_counters_energy_is_the_counters(tmp_path: Path) -> None:
    (zone,) = rapl(tmp_path, [MAX_RANGE_UJ - 100_000])
    meter = PowercapMeter(tmp_path)
    time.sleep(0.02)
    with meters.window("inference", meter, rate_hz=50, root=tmp_path) as window:
        for step in range(1, 11):
            time.sleep(0.03)
            energy_uj = (MAX_RANGE_UJ - 100_000 + step * 30_000) % (MAX_RANGE_UJ + 1)
            (zone / "energy_uj").write_text(f"{energy_uj}\n")
    assert window.energy.kind == "measured"
    assert window.energy.energy_j == pytest.approx(0.3, rel=0.11)
    assert window.energy.mean_power_w == pytest.approx(
        window.energy.energy_j / window.energy.duration_s
    )


def test_idle_is_subtracted() -> None:
    idle = meters.measure_idle(Ramp(base_w=2.0, error=0.01), 0.4)
    assert (idle.name, idle.mean_power_w) == ("idle", pytest.approx(2.0))
    with meters.window("inference", Ramp(base_w=5.0, error=0.01), idle) as window:
        time.sleep(0.4)
    energy = window.energy
    assert energy.name == "inference"
    assert energy.idle_power_w == pytest.approx(2.0)
    assert energy.above_idle_j == pytest.approx(3.0 * energy.duration_s)
    assert energy.uncertainty_j == pytest.approx(0.05 * energy.duration_s)
    assert energy.above_idle_uncertainty_j == pytest.approx(0.07 * energy.duration_s)
    assert (energy.min_power_w, energy.max_power_w) == (5.0, 5.0)


def test_without_idle_nothing_is_subtracted() -> None:
    energy = measure(Ramp(), 0.4)
    assert energy.energy_j is not None
    assert (energy.idle_power_w, energy.above_idle_j) == (None, None)
    assert (energy.uncertainty_j, energy.above_idle_uncertainty_j) == (None, None)
    short = measure(Ramp(), 0.01, rate_hz=20)
    with meters.window("inference", Ramp(), short) as window:
        time.sleep(0.4)
    assert window.energy.energy_j is not None
    assert window.energy.above_idle_j is None


@pytest.mark.parametrize("other", [{"kind": "estimated"}, {"name": "another"}], ids=str)
def test_what_another_meter_measured_is_not_subtracted(other: dict[str, str]) -> None:
    idle = measure(Ramp(), 0.2)
    with pytest.raises(UsageError, match="measure both by one meter"):
        meters.window("inference", Ramp(**other), idle)


def test_a_fault_within_the_window_goes_through_and_ends_it() -> None:
    window = meters.window("inference", Ramp())
    with pytest.raises(KeyError), window:
        raise KeyError("the work's own")
    assert window.energy.energy_j is None
    assert not [thread for thread in threading.enumerate() if thread.name == "power"]


def test_the_result_is_there_after_the_end_only() -> None:
    window = meters.window("inference", Ramp())
    with window, pytest.raises(RuntimeError, match="not ended"):
        _ = window.energy
