"""From samples to joules, in constant memory."""

import math

from edge_vessel.meters.base import Sample


class Integral:
    """The energy from `begun_s` on, by the trapezoid rule over samples as they come.

    Where the meter counts energy itself, its count stands for the trapezoid. What lies before the
    first sample is held at it; the last step is cut where the window ends, by interpolation.
    """

    def __init__(self, begun_s: float) -> None:
        self.energy_j = 0.0
        self.samples = 0
        self.min_w, self.max_w = math.inf, -math.inf
        self._begun_s = begun_s
        self._last: Sample | None = None

    @property
    def last_s(self) -> float:
        """When the last sample was taken; when the window began where there is none."""
        return self._begun_s if self._last is None else self._last.at_s

    def add(self, sample: Sample, ended_s: float = math.inf) -> None:
        """Takes the next sample; one that is no later than the one before is passed over.

        Args:
            sample: may be later than `ended_s`.
            ended_s: where the window ended, infinite as long as it has not.
        """
        last = self._last
        if last is not None and sample.at_s <= last.at_s:
            return
        if last is None:
            held_s = min(sample.at_s, ended_s) - self._begun_s
            self.energy_j += max(0.0, held_s) * sample.power_w
        else:
            self.energy_j += _step_j(last, sample, ended_s)
        # The first figure of a counter is a mean from before the window.
        if sample.at_s <= ended_s and (last is not None or sample.counted_j is None):
            self.min_w = min(self.min_w, sample.power_w)
            self.max_w = max(self.max_w, sample.power_w)
        self._last = sample
        self.samples += 1


def _step_j(last: Sample, now: Sample, ended_s: float) -> float:
    length_s = now.at_s - last.at_s
    share = min(1.0, max(0.0, (ended_s - last.at_s) / length_s))
    if last.counted_j is not None and now.counted_j is not None and now.resets == last.resets:
        counted_j = now.counted_j - last.counted_j
        # A counter that fell was reset.
        if counted_j >= 0:
            return counted_j * share
    end_w = last.power_w + (now.power_w - last.power_w) * share
    return (last.power_w + end_w) / 2 * length_s * share
