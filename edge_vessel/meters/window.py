"""A window of measurement: begin, do the work, end, and know its energy."""

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.base import Kind, Meter, NullMeter, Sample
from edge_vessel.meters.conditions import Conditions, Course, CourseKeeper, read_conditions
from edge_vessel.meters.integral import Integral
from edge_vessel.meters.stopwatch import Stopwatch

MIN_SAMPLES = 10
# A longer time without a reading is not bridged, as what happened in it is not known: a second, and
# for slow meters some of their own periods, of which the median is one whatever the outage.
_LONGEST_GAP_S = 1.0
_LONGEST_GAP_PERIODS = 5
_LOOK_PERIOD_S = 1.0
# Each look at the Raspberry Pi's flags starts a process.
_FLAGS_EVERY = 10
# One reading that fails may be a glitch; a meter that keeps silent does not hold up the end.
_LAST_TRIES = 3
_LAST_WITHIN_S = 1.0


@dataclass(frozen=True)
class Energy:
    """What a window measured.

    `energy_j` (joules), mean, min and max power (watts) are None without a meter, with fewer than
    ten samples, and where the sensor was away; `why` says then what to do. `uncertainty_j` is the
    largest error that the meter's accuracy allows, None where that is not known.
    `above_idle_j` is the energy beyond that of an idle machine, `idle_power_w`, None where idle was
    not measured. `rate_hz` is the rate that was achieved; `missed` counts readings that failed.
    """

    name: str
    meter: str
    kind: Kind
    accuracy: str
    duration_s: float
    samples: int
    missed: int
    rate_hz: float
    energy_j: float | None
    uncertainty_j: float | None
    mean_power_w: float | None
    min_power_w: float | None
    max_power_w: float | None
    idle_power_w: float | None
    above_idle_j: float | None
    above_idle_uncertainty_j: float | None
    why: str | None
    before: Conditions
    during: Course
    after: Conditions


class PowerWindow:
    """Samples a meter in a thread of its own between `begin` and `end`, or within a `with`.

    The energy is the trapezoid rule over the samples (`Integral`), summed as they come: a run may
    last for months. A sensor that fails or vanishes costs the joules, never the run. A window is
    used once at a time and may begin anew after its end.
    """

    def __init__(
        self,
        meter: Meter,
        rate_hz: float | None = None,
        name: str = "window",
        idle: Energy | None = None,
        root: Path = Path("/"),
        patience_s: float = 10.0,
    ) -> None:
        """Does not begin yet.

        Args:
            meter: what to sample.
            rate_hz: how often to ask for a sample; None: as often as the meter has news.
            name: of what is measured.
            idle: a window of the same meter while the machine did nothing, to subtract; nothing is
                subtracted where it gave no power itself.
            root: what holds `sys` and `proc`, for temperatures and frequencies.
            patience_s: how long to wait for one reading; sensors have shorter deadlines of their
                own, so that who is later hangs in the kernel.

        Raises:
            UsageError: `idle` is another meter's, or `rate_hz` is not above 0.
        """
        if rate_hz is not None and not 0 < rate_hz < math.inf:
            raise UsageError(f"{rate_hz:g} readings a second: choose a rate above 0")
        if idle is not None and (idle.meter, idle.kind) != (meter.name, meter.kind):
            raise UsageError(
                f"idle was measured by {idle.meter} ({idle.kind}), {name} by {meter.name} "
                f"({meter.kind}): measure both by one meter"
            )
        self._meter = meter
        self._period_s = 1.0 / (rate_hz or meter.rate_hz)
        self._name = name
        self._idle_w = None if idle is None else idle.mean_power_w
        self._root = root
        self._patience_s = patience_s
        self._sampler: _Sampler | None = None
        self._energy: Energy | None = None
        self._before = self._after = Conditions(None, (), None, ())

    @property
    def energy(self) -> Energy:
        """What the window that has ended measured."""
        if self._energy is None:
            raise RuntimeError("the window has not ended")
        return self._energy

    def begin(self) -> None:
        """Starts to sample; returns after the first sample, which a line meter may keep waiting."""
        if self._sampler is not None:
            raise RuntimeError("the window has begun already")
        self._energy = None
        self._before = read_conditions(self._root)
        self._sampler = _Sampler(self._meter, self._period_s, self._root, self._patience_s)
        self._sampler.begin()

    def end(self) -> Energy:
        """Takes the last sample and adds up."""
        if self._sampler is None:
            raise RuntimeError("the window has not begun")
        sampler, self._sampler = self._sampler, None
        duration_s = sampler.end()
        self._energy = self._add_up(sampler, duration_s, read_conditions(self._root))
        return self._energy

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def _add_up(self, sampler: "_Sampler", duration_s: float, after: Conditions) -> Energy:
        why = sampler.why_no_joules(duration_s)
        integral = sampler.integral
        energy_j = mean_w = uncertainty_j = above_j = above_uncertainty_j = None
        if why is None:
            energy_j = integral.energy_j
            mean_w = energy_j / duration_s
            uncertainty_j = self._uncertainty_j(mean_w, duration_s)
            if self._idle_w is not None:
                above_j = energy_j - self._idle_w * duration_s
                idle_j = self._uncertainty_j(self._idle_w, duration_s)
                if uncertainty_j is not None and idle_j is not None:
                    # As if the two errors had opposite signs.
                    above_uncertainty_j = uncertainty_j + idle_j
        return Energy(
            name=self._name,
            meter=self._meter.name,
            kind=self._meter.kind,
            accuracy=self._meter.accuracy,
            duration_s=duration_s,
            samples=integral.samples,
            missed=sampler.missed,
            rate_hz=integral.samples / duration_s,
            energy_j=energy_j,
            uncertainty_j=uncertainty_j,
            mean_power_w=mean_w,
            min_power_w=None if why else integral.min_w,
            max_power_w=None if why else integral.max_w,
            idle_power_w=self._idle_w,
            above_idle_j=above_j,
            above_idle_uncertainty_j=above_uncertainty_j,
            why=why,
            before=self._before,
            during=sampler.course.course(),
            after=after,
        )

    def _uncertainty_j(self, power_w: float, duration_s: float) -> float | None:
        error_w = self._meter.uncertainty_w(power_w)
        return None if error_w is None else error_w * duration_s


class _Sampler:
    """The thread of one window. Nobody else reads what it writes before it has ended."""

    def __init__(self, meter: Meter, period_s: float, root: Path, patience_s: float) -> None:
        self.missed = 0
        self.course = CourseKeeper()
        self.integral = Integral(0.0)
        self._meter = meter
        self._has_meter = meter.kind != "none"
        self._turn = meter.turn if self._has_meter else threading.Lock()
        self._period_s = period_s if self._has_meter else _LOOK_PERIOD_S
        self._root = root
        self._patience_s = patience_s
        self._fault: DeviceError | None = None
        self._gap_fault: DeviceError | None = None
        self._gap_s = 0.0
        self._intervals = Stopwatch()
        self._begun_s = time.monotonic()
        self._ended_s = math.inf
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def begin(self) -> None:
        self._thread.start()
        self._ready.wait(self._patience_s)

    def end(self) -> float:
        """Ends the thread and returns how long the window was, in seconds."""
        self._ended_s = time.monotonic()
        self._stop.set()
        self._thread.join(self._patience_s)
        return max(self._ended_s - self._begun_s, 1e-9)

    def why_no_joules(self, duration_s: float) -> str | None:
        """One line with the next step; None where there are joules."""
        if isinstance(self._meter, NullMeter):
            return self._meter.why
        if self._thread.is_alive():
            late = f"no answer for {self._patience_s:g} s"
            return f"{self._meter.name}: {late}; check the sensor's wires"
        if self._gap_s > self._longest_gap_s():
            reason = self._gap_fault or f"{self._meter.name}: too late; run less beside it"
            return f"{reason} (no reading for {self._gap_s:.1f} s)"
        if self.integral.last_s < self._ended_s:
            return f"{self._fault or self._meter.name} (no reading at the end)"
        if self.integral.samples < MIN_SAMPLES:
            return (
                f"{self.integral.samples} samples of {self._meter.name} in {duration_s:.2f} s, at "
                f"least {MIN_SAMPLES} needed; measure for longer"
            )
        return None

    def _longest_gap_s(self) -> float:
        intervals = self._intervals.percentiles()
        median_s = 0.0 if intervals is None else intervals.p50_ms / 1000
        return max(_LONGEST_GAP_S, _LONGEST_GAP_PERIODS * median_s)

    def _run(self) -> None:
        with self._turn:
            # Who waited for so long that the window has ended has nothing to ask any more.
            if self._stop.is_set():
                return
            try:
                self._begin()
            finally:
                self._ready.set()
            self._sample_till_stopped()
            self._take_last()

    def _begin(self) -> None:
        first = self._read() if self._has_meter else None
        self._begun_s = time.monotonic() if first is None else first.at_s
        self.integral = Integral(self._begun_s)
        self._take(first)

    def _sample_till_stopped(self) -> None:
        due_s = look_s = self._begun_s
        looks = 0
        while True:
            # A sensor slower than the period is asked again at once, never to catch up.
            due_s = max(due_s + self._period_s, time.monotonic())
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + _LOOK_PERIOD_S
                looks += 1
                self.course.add(read_conditions(self._root, looks % _FLAGS_EVERY == 0))
            if self._stop.wait(due_s - time.monotonic()):
                return
            if self._has_meter:
                self._take(self._read())

    def _take_last(self) -> None:
        for _ in range(_LAST_TRIES if self._has_meter else 0):
            late_s = time.monotonic() - self._ended_s
            if self.integral.last_s >= self._ended_s or late_s > _LAST_WITHIN_S:
                break
            self._take(self._read())

    def _read(self) -> Sample | None:
        try:
            return self._meter.sample()
        except DeviceError as error:
            self.missed += 1
            self._fault = error
            return None

    def _take(self, sample: Sample | None) -> None:
        if sample is None:
            return
        gap_s = sample.at_s - self.integral.last_s
        if self.integral.samples:
            self._intervals.add(gap_s * 1000)
        # A counter goes on counting while nobody finds the time to ask it.
        if gap_s > self._gap_s and (self._fault is not None or sample.counted_j is None):
            self._gap_s, self._gap_fault = gap_s, self._fault
        self._fault = None
        self.integral.add(sample, self._ended_s)
