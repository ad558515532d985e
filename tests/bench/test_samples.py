"""Percentiles and intervals against known answers."""

import numpy as np
import pytest

from bench.samples import Latency, ratio
from edge_vessel.errors import UsageError


def test_percentiles_are_numpys_and_the_extremes_are_exact() -> None:
    values = list(range(1, 101))
    found = Latency.of(values)
    assert (found.count, found.min_ms, found.max_ms, found.mean_ms) == (100, 1, 100, 50.5)
    assert (found.p50_ms, found.p90_ms, found.p99_ms) == pytest.approx((50.5, 90.1, 99.01))
    assert found.std_ms == pytest.approx(np.std(values), abs=1e-4)
    assert Latency.of([3.0]) == Latency(1, 3, 3, 3, 3, 3, 3, 3, 0)


def test_the_interval_holds_the_true_ratio() -> None:
    """Nominally in 95 of 100 experiments; blocks of twelve in 150 runs cost two or three."""
    random = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        a, b = (random.gamma(50, scale, 150) for scale in (1.3, 1.0))
        found = ratio(a, b, seed)
        hits += found.low <= 1.3 <= found.high
    assert 0.88 <= hits / 200 <= 0.98


def test_runs_that_share_a_slow_phase_widen_the_interval() -> None:
    """One by one they would look like so many independent witnesses."""
    random = np.random.default_rng(2)
    phases = np.repeat(random.normal(100, 10, 20), 20)
    drifting = phases + random.normal(0, 1, 400)
    steady = random.permutation(drifting)
    reference = np.full(400, 100.0)
    wide, narrow = ratio(drifting, reference), ratio(steady, reference)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (19, 40), (40, 19)])
def test_few_samples_have_no_interval(ours: int, theirs: int) -> None:
    with pytest.raises(UsageError, match=f"too few runs for an interval, {theirs} and {ours}: "):
        ratio([2.0] * ours, [4.0] * theirs)


def test_samples_all_alike_have_one_without_width() -> None:
    assert str(ratio([2.0] * 20, [4.0] * 20)) == "0.500 (0.500 to 0.500)"
