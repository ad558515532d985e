"""Tries block sizes, and MetaSchedule where there is no schedule of our own; keeps the fastest."""

import hashlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import tvm
from tvm import tirx

from compile.schedules.core import Core
from compile.tuning.metaschedule import search
from compile.tuning.meter import Meter
from compile.tuning.records import Records
from edge_vessel.errors import DeviceError

# Factors on the share of the second-level cache that rings and bands may fill, and registers that
# blocks leave free. The first of each is what the schedules compute without measuring.
_CACHE_SHARES = (1.0, 0.5, 2.0)
_SPARED_REGISTERS = (0, 4, 8)

Make = Callable[[Core], tirx.PrimFunc]


def candidates(core: Core) -> dict[str, Core]:
    """Cores that differ in what the schedules take for granted, by name; the true one first."""
    found = {}
    for spared in _SPARED_REGISTERS:
        for share in _CACHE_SHARES:
            name = f"l2 x {share:g}, {core.registers - spared} registers"
            found[name] = replace(
                core, l2_bytes=int(core.l2_bytes * share), registers=core.registers - spared
            )
    return found


@dataclass
class Tuner:
    """Searches within a budget of measurements for each function.

    Attributes:
        trials: measurements for each function, those that the records hold among them; 0 measures
            nothing.
        chosen: name -> (candidate, seconds, seconds of the untuned schedule where it has a time),
            for the report.
    """

    meter: Meter
    records: Records
    trials: int
    target: tvm.target.Target
    chosen: dict[str, tuple[str, float, float | None]] = field(default_factory=dict)

    def choose(self, name: str, make: Make, core: Core) -> Core:
        """The core whose schedule of a function of ours is fastest."""
        found = candidates(core)
        times = self._times(name, {key: (lambda c=one: make(c)) for key, one in found.items()})
        best = min(times, key=lambda key: times[key]) if times else next(iter(found))
        return found[best]

    def schedule(self, name: str, plain: tirx.PrimFunc, make: Make, core: Core) -> tirx.PrimFunc:
        """The fastest function: of a general rule with other sizes, or of MetaSchedule.

        Args:
            plain: without a schedule.
            make: schedules it by the rule.
        """
        functions = {key: (lambda c=one: make(c)) for key, one in candidates(core).items()}
        times = self._times(name, functions)
        if not times:
            return make(core)
        left = self.trials - len(times)
        database = self.records.database(self.meter.place)
        tuned = search(plain, self.target, database, max(left, 0), self.meter)
        if tuned is not None:
            key = f"MetaSchedule {_identity(tuned)[:12]}"
            functions[key] = lambda: tuned
            times |= self._times(name, {key: functions[key]}, limit=1)
        return functions[min(times, key=lambda key: times[key])]()

    def _times(
        self, name: str, functions: dict[str, Callable[[], tirx.PrimFunc]], limit: int | None = None
    ) -> dict[str, float]:
        """Seconds of each candidate, from the records or measured now; equal ones but once."""
        places: dict[str, tuple[str, tirx.PrimFunc]] = {}
        for key, make in functions.items():
            function = make()
            places.setdefault(_identity(function), (key, function))
        times: dict[str, float] = {}
        for identity, (key, _) in places.items():
            if (seconds := self.records.find(identity, self.meter.place, key)) is not None:
                times[key] = seconds
        left = (self.trials if limit is None else min(limit, self.trials)) - len(times)
        for identity, (key, function) in places.items():
            if key in times or left <= 0:
                continue
            left -= 1
            seconds = self._measure(name, key, identity, function)
            if math.isfinite(seconds):
                times[key] = seconds
        times = {key: times[key] for key, _ in places.values() if key in times}
        if times:
            untuned = times.get(next(iter(functions)))
            first = self.chosen[name][2] if name in self.chosen else untuned
            best = min(times, key=lambda key: times[key])
            if name not in self.chosen or times[best] < self.chosen[name][1]:
                self.chosen[name] = (best, times[best], first)
        return times

    def _measure(self, name: str, key: str, identity: str, function: tirx.PrimFunc) -> float:
        try:
            seconds = self.meter.seconds(function)
        except DeviceError as error:
            sys.stderr.write(f"{name}, {key}: {error}; left out\n")
            seconds = math.inf
        if math.isfinite(seconds):
            self.records.add(identity, name, self.meter.place, key, seconds)
        return seconds


def _identity(function: tirx.PrimFunc) -> str:
    return hashlib.sha256(function.without_attr("global_symbol").script().encode()).hexdigest()
