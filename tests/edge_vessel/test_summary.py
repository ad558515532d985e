"""What a run prints of its power and of the machine."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from edge_vessel.meters import Energy
from edge_vessel.meters.conditions import Conditions, Course
from edge_vessel.pipeline import STAGES
from edge_vessel.summary import Summary, print_summary

MEASURED = Energy(
    name="run",
    meter="ina226 (rail 1)",
    kind="measured",
    accuracy="not known",
    duration_s=10.0,
    samples=200,
    missed=0,
    rate_hz=20.0,
    energy_j=52.34,
    uncertainty_j=0.26,
    mean_power_w=5.234,
    min_power_w=4.0,
    max_power_w=7.0,
    idle_power_w=None,
    above_idle_j=None,
    above_idle_uncertainty_j=None,
    why=None,
    before=Conditions(51.0, (1800.0,), None, ()),
    during=Course(10, 64.0, (1416.0, 600.0), (1416.0, 1200.0), ("cpufreq-cpu4",)),
    after=Conditions(62.0, (1800.0,), None, ()),
)
NOTHING = Conditions(None, (), None, ())
UNKNOWN = replace(MEASURED, before=NOTHING, during=Course(10, None, (), (), ()), after=NOTHING)


def printed(power: Energy) -> str:
    summary = Summary(
        source="synthetic:",
        model="tiny",
        engine="onnx 1.20",
        threads=1,
        threshold=0.5,
        captured=1,
        processed=1,
        no_fundus=0,
        dropped=0,
        failed=0,
        camera="ok",
        losses=0,
        duration_s=10.0,
        fps=1.0,
        stages=dict.fromkeys(STAGES),
        peak_rss_mb=100.0,
        power=power,
        output=None,
        error=None,
        exit_code=0,
    )
    text = io.StringIO()
    print_summary(summary, Console(file=text, width=200))
    return text.getvalue()


@pytest.mark.parametrize(
    ("power", "says"),
    [
        (MEASURED, "; power: 5.23 W, 52.3 ± 0.3 J (measured, ina226 (rail 1), 200 samples)\n"),
        (replace(MEASURED, uncertainty_j=None), "power: 5.23 W, 52.3 J (measured, ina226 "),
        (replace(MEASURED, kind="estimated"), "J (estimated, ina226 (rail 1), 200 samples)"),
        (
            replace(MEASURED, energy_j=None, mean_power_w=None, why="no meter: attach one"),
            "; power: no meter: attach one\n",
        ),
        (
            MEASURED,
            "machine: 51 °C before, 64 at most, 62 after; 1416 MHz on average; "
            "slowed by cpufreq-cpu4\n",
        ),
    ],
)
def test_power_and_machine(power: Energy, says: str) -> None:
    assert says in printed(power)


def test_a_machine_that_tells_nothing_has_no_line() -> None:
    assert "machine:" not in printed(UNKNOWN)
