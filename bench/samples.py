"""Latencies of many runs as a few numbers, and how sure one can be of their ratio."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.quantities import Count, NotNegative, Positive
from edge_vessel.errors import UsageError

LEAST_RUNS = 20  # for an interval
_RESAMPLES = 2000


@dataclass(frozen=True)
class Latency:
    """Milliseconds of `count` runs. Percentiles are interpolated linearly between samples."""

    count: Count
    min_ms: Positive
    mean_ms: Positive
    p50_ms: Positive
    p90_ms: Positive
    p95_ms: Positive
    p99_ms: Positive
    max_ms: Positive
    std_ms: NotNegative

    @classmethod
    def of(cls, samples_ms: Sequence[float]) -> "Latency":
        """Of one sample or more."""
        values = np.asarray(samples_ms, np.float64)
        percentiles = np.percentile(values, [50, 90, 95, 99])
        figures = (values.min(), values.mean(), *percentiles, values.max(), values.std())
        return cls(len(values), *(round(float(figure), 4) for figure in figures))


@dataclass(frozen=True)
class Ratio:
    """Of two medians, or the median of ratios, with its 95 % interval."""

    median: Positive
    low: Positive
    high: Positive

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def ratio(ours_ms: Sequence[float], theirs_ms: Sequence[float], seed: int = 0) -> Ratio:
    """The median of ours over the median of theirs.

    The interval is of the moving-block bootstrap (Künsch 1989), percentiles 2.5 and 97.5: runs that
    follow each other share the clock speed and whatever else the machine did, so that resampling
    them one by one would make the interval too narrow. It is of these runs of these processes: a
    process started anew may lie elsewhere in memory and differ by more than the interval says.

    Raises:
        UsageError: fewer than `LEAST_RUNS` of either.
    """
    if min(len(ours_ms), len(theirs_ms)) < LEAST_RUNS:
        raise UsageError(
            f"too few runs for an interval, {len(theirs_ms)} and {len(ours_ms)}: measure "
            f"{LEAST_RUNS} or more of each"
        )
    ours, theirs = (np.asarray(one, np.float64) for one in (ours_ms, theirs_ms))
    random = np.random.default_rng(seed)
    found = _medians(ours, random) / _medians(theirs, random)
    low, high = np.percentile(found, [2.5, 97.5])
    return Ratio(float(np.median(ours) / np.median(theirs)), float(low), float(high))


def paired(
    ours_ms: Sequence[float], theirs_ms: Sequence[float], starts: int = 1, seed: int = 0
) -> Ratio:
    """The median of ours over theirs, round by round.

    What slows a whole round slows both, and is not in it. The interval is of a bootstrap in two
    steps, percentiles 2.5 and 97.5: of the `starts` of the processes, whose rounds follow one
    another, as many are drawn with replacement; of each the rounds as in `ratio`.

    Raises:
        UsageError: fewer rounds than `LEAST_RUNS`.
    """
    if len(ours_ms) < LEAST_RUNS:
        raise UsageError(f"too few rounds for an interval, {len(ours_ms)}: {LEAST_RUNS} or more")
    found = np.asarray(ours_ms, np.float64) / np.asarray(theirs_ms, np.float64)
    random = np.random.default_rng(seed)
    parts = np.array_split(found, starts)
    drawn = random.integers(0, starts, (_RESAMPLES, starts))
    medians = [
        np.median(np.concatenate([_resampled(parts[one], 1, random)[0] for one in chosen]))
        for chosen in drawn
    ]
    low, high = np.percentile(medians, [2.5, 97.5])
    return Ratio(*(round(float(one), 4) for one in (np.median(found), low, high)))


def _medians(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Medians of resampled series."""
    return np.asarray(np.median(_resampled(values, _RESAMPLES, random), axis=1), np.float64)


def _resampled(
    values: NDArray[np.float64], count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """(count, len(values)): series made of blocks about as long as the root of the series."""
    block = max(1, round(len(values) ** 0.5))
    blocks = -(-len(values) // block)
    starts = random.integers(0, len(values) - block + 1, (count, blocks, 1))
    chosen = (starts + np.arange(block)).reshape(count, -1)[:, : len(values)]
    return values[chosen]
