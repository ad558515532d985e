"""Joules of one inference from windows of a meter, where figures are missing or next to nothing."""

from dataclasses import replace

import pytest

from bench.energy_table import remarks
from bench.joules import Figure, Joules, joules
from edge_vessel.meters import Energy, Kind, Meter, NullMeter, Sample, window


class SteadyMeter(Meter):
    """Always the same power; 2 % of the reading."""

    name = "steady"
    kind: Kind = "measured"
    accuracy = "2 % of the reading"

    def sample(self) -> Sample:
        raise NotImplementedError

    def uncertainty_w(self, power_w: float) -> float | None:
        return 0.02 * abs(power_w)


with window("pattern", NullMeter("none")) as _nothing:
    pass


def _window(name: str, power_w: float | None, duration_s: float = 40.0) -> Energy:
    why = "steady: gone" if power_w is None else None
    return replace(_nothing.energy, name=name, duration_s=duration_s, mean_power_w=power_w, why=why)


def _joules(before_w: float | None, loaded_w: float | None, after_w: float | None) -> Joules:
    windows = (_window("idle 0", before_w), _window("case 0", loaded_w), _window("idle 1", after_w))
    return joules(SteadyMeter(), *windows, [100.0] * 390)


def test_all_windows() -> None:
    found = _joules(2.0, 5.0, 2.1)
    each_s = 40 / 390
    assert found.above_idle_per_inference_j is not None
    assert found.above_idle_per_inference_j.value == pytest.approx(2.95 * each_s)
    error_w = 0.02 * 5 + 0.02 * 2.05 + 0.05
    assert found.above_idle_per_inference_j.uncertainty == pytest.approx(error_w * each_s)
    assert (found.working_percent, found.short, found.why) == (97.5, False, None)
    assert not list(remarks(found))


@pytest.mark.parametrize(
    ("powers_w", "has", "why"),
    [
        ((None, 5.0, 2.0), {"loaded_power_w", "per_inference_j", "inferences_per_j"}, "idle 0: s"),
        ((2.0, None, 2.0), {"idle_power_w", "idle_drift_w"}, "case 0: steady: gone"),
        ((2.0, 5.0, None), {"loaded_power_w", "per_inference_j", "inferences_per_j"}, "idle 1: s"),
        ((None, None, None), set(), "case 0: "),
    ],
)
def test_what_a_lost_window_takes_along(powers_w, has: set[str], why: str) -> None:
    found = vars(_joules(*powers_w))
    figures = ("idle_power_w", "idle_drift_w", "loaded_power_w", "per_inference_j",
               "above_idle_per_inference_j", "inferences_per_j")  # fmt: skip
    assert {name for name in figures if found[name] is not None} == has
    assert found["why"].startswith(why)


def test_next_to_nothing() -> None:
    """A battery at rest shows zero watts: no inference is for free, so that no rate is told."""
    found = _joules(0.0, 0.0, 0.0)
    assert found.inferences_per_j is None
    assert found.per_inference_j == Figure(0.0, 0.0)


@pytest.mark.parametrize(
    ("before_w", "loaded_w", "after_w", "told"),
    [
        (5.0, 6.0, 5.09, False),  # under a tenth of what the work adds
        (5.0, 6.0, 5.2, True),
        (5.0, 5.1, 5.04, False),  # under a hundredth of idle
        (5.2, 6.0, 5.0, True),
    ],
)
def test_drift_is_told_where_it_decides(before_w, loaded_w, after_w, told: bool) -> None:
    said = list(remarks(_joules(before_w, loaded_w, after_w)))
    assert any(one.startswith("idle power drifted by") for one in said) == told


def test_less_than_idle_is_told_as_within_the_error() -> None:
    found = _joules(5.0, 4.99, 5.0)
    assert found.above_idle_per_inference_j is not None
    assert found.above_idle_per_inference_j.value < 0
    assert "what inference adds to idle is within the meter's error" in list(remarks(found))


def test_short_and_idle_windows_are_told() -> None:
    loaded = _window("case 0", 5.0, duration_s=3.0)
    found = joules(SteadyMeter(), _window("idle 0", 2.0), loaded, _window("idle 1", 2.0), [1.0])
    told = list(remarks(found))
    assert told[0].startswith("short windows, 3.0 s; 30 s or more")
    assert told[1] == "inference filled 0 % of its window"


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(9.6123, 0.0961), "9.612 ± 0.096"),
        (Figure(0.0002451, 0.0022), "0.0002 ± 0.0022"),
        (Figure(1234.5, 12.3), "1234 ± 12"),
        (Figure(9.6123, None), "9.612"),
        (Figure(9.6123, 0.0), "9.612"),
    ],
)
def test_a_figure_is_told_to_the_digits_of_its_error(figure: Figure, text: str) -> None:
    assert str(figure) == text
