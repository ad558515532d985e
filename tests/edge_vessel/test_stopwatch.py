"""Percentiles in constant memory against numpy's."""

import numpy as np
import pytest

from edge_vessel.meters.stopwatch import Stopwatch


def test_percentiles_agree_with_numpy_to_one_per_cent():
    durations = np.random.default_rng(0).lognormal(3, 1, 5000)
    watch = Stopwatch()
    for one in durations:
        watch.add(float(one))
    found = watch.percentiles()
    assert found is not None
    assert found.count == 5000
    assert found.max_ms == durations.max()
    expected = np.percentile(durations, (50, 90, 95, 99))
    assert [found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms] == pytest.approx(
        expected, rel=0.01
    )


def test_nothing_measured_is_none():
    assert Stopwatch().percentiles() is None


def test_one_duration_is_every_percentile():
    watch = Stopwatch()
    watch.add(12.0)
    found = watch.percentiles()
    assert found is not None
    assert found.p50_ms == pytest.approx(12.0, rel=0.01)
    assert found.p99_ms <= found.max_ms == 12.0


def test_out_of_range_counts_at_the_ends():
    watch = Stopwatch()
    for duration in (0.0, 1e9):
        watch.add(duration)
    found = watch.percentiles()
    assert found is not None
    assert found.count == 2
