"""What windows of power say of one inference."""

import math
from dataclasses import dataclass

from bench.quantities import Count, Index, NotNegative, Real
from edge_vessel.meters import Energy, Meter

SHORTEST_S = 30.0
"""Of a window whose figure stands for more than itself: governor and fan take seconds to settle."""
_DIGITS = 9  # nanojoules: less is noise, and long to read


@dataclass(frozen=True)
class Window:
    """One stretch of the trace, by its name there; powers and energy are None where `why` says why.

    `mean_mhz` is by cpufreq policy, `hottest_c` None without a sensor.
    """

    name: str
    duration_s: NotNegative
    samples: Index
    missed: Index
    rate_hz: NotNegative
    energy_j: Real | None
    uncertainty_j: NotNegative | None
    mean_power_w: Real | None
    min_power_w: Real | None
    max_power_w: Real | None
    why: str | None
    hottest_c: Real | None
    mean_mhz: tuple[NotNegative, ...]
    slowed_by: tuple[str, ...]

    @classmethod
    def of(cls, energy: Energy) -> "Window":
        return cls(
            name=energy.name,
            duration_s=round(energy.duration_s, 3),
            samples=energy.samples,
            missed=energy.missed,
            rate_hz=round(energy.rate_hz, 2),
            energy_j=_rounded(energy.energy_j),
            uncertainty_j=_rounded(energy.uncertainty_j),
            mean_power_w=_rounded(energy.mean_power_w),
            min_power_w=_rounded(energy.min_power_w),
            max_power_w=_rounded(energy.max_power_w),
            why=energy.why,
            hottest_c=energy.during.hottest_c,
            mean_mhz=tuple(round(one, 1) for one in energy.during.mean_mhz),
            slowed_by=energy.during.slowed_by,
        )


@dataclass(frozen=True)
class Figure:
    """A value and its largest error, None where the meter does not say how exact it is."""

    value: Real
    uncertainty: NotNegative | None

    def __str__(self) -> str:
        if not self.uncertainty:
            return f"{self.value:.4g}"
        digits = max(0, 1 - math.floor(math.log10(self.uncertainty)))
        return f"{self.value:.{digits}f} ± {self.uncertainty:.{digits}f}"


@dataclass(frozen=True)
class Joules:
    """Of one case. An inference is the whole way of a photograph, as `Stages.total` times it.

    Idle power is the mean of the windows before and after, `idle_drift_w` the later less the
    earlier. The error of what is above idle adds the meter's in both states, as if these had
    opposite signs, and half the drift. `working_percent` is how much of the loaded window the
    stages filled; `short` says that a window was shorter than `SHORTEST_S`. Figures are None where
    `why` says why.
    """

    idle_before: Window
    loaded: Window
    idle_after: Window
    inferences: Count
    working_percent: NotNegative
    short: bool
    idle_power_w: Figure | None
    idle_drift_w: Real | None
    loaded_power_w: Figure | None
    per_inference_j: Figure | None
    above_idle_per_inference_j: Figure | None
    inferences_per_j: Figure | None
    why: str | None


def joules(
    meter: Meter, idle_before: Energy, loaded: Energy, idle_after: Energy, total_ms: list[float]
) -> Joules:
    """What three windows of one meter say.

    Args:
        meter: of all three.
        idle_before: before the work.
        loaded: while it was done.
        idle_after: after it.
        total_ms: of each inference in `loaded`.
    """
    count = len(total_ms)
    idle_w, drift_w = _idle(meter, idle_before.mean_power_w, idle_after.mean_power_w)
    loaded_w = above_j = per_j = rate = None
    if loaded.mean_power_w is not None:
        loaded_w = Figure(loaded.mean_power_w, meter.uncertainty_w(loaded.mean_power_w))
        each_s = loaded.duration_s / count
        per_j = _scaled(loaded_w, each_s)
        if per_j.value > 0:
            rate = _scaled(Figure(1.0, _over(per_j.uncertainty, per_j.value)), 1 / per_j.value)
        if idle_w is not None:
            errors_w = (loaded_w.uncertainty, idle_w.uncertainty)
            error_w = None if None in errors_w else sum(one or 0.0 for one in errors_w)
            above_j = _scaled(Figure(loaded_w.value - idle_w.value, error_w), each_s)
    windows = (loaded, idle_before, idle_after)
    return Joules(
        idle_before=Window.of(idle_before),
        loaded=Window.of(loaded),
        idle_after=Window.of(idle_after),
        inferences=count,
        working_percent=round(sum(total_ms) / 10 / loaded.duration_s, 1),
        short=any(window.duration_s < SHORTEST_S for window in windows),
        idle_power_w=idle_w,
        idle_drift_w=drift_w,
        loaded_power_w=loaded_w,
        per_inference_j=per_j,
        above_idle_per_inference_j=above_j,
        inferences_per_j=rate,
        why=next((f"{window.name}: {window.why}" for window in windows if window.why), None),
    )


def _idle(
    meter: Meter, before_w: float | None, after_w: float | None
) -> tuple[Figure | None, float | None]:
    if before_w is None or after_w is None:
        return None, None
    mean_w, drift_w = (before_w + after_w) / 2, after_w - before_w
    error_w = meter.uncertainty_w(mean_w)
    return Figure(mean_w, None if error_w is None else error_w + abs(drift_w) / 2), drift_w


def _scaled(figure: Figure, factor: float) -> Figure:
    error = None if figure.uncertainty is None else figure.uncertainty * factor
    return Figure(round(figure.value * factor, _DIGITS), _rounded(error))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _over(error: float | None, value: float) -> float | None:
    return None if error is None else error / value
