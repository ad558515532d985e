import pytest
from scipy.stats import beta

from edge_vessel.biometrics.error_rates import Rate, det_curve, error_rates


@pytest.mark.parametrize(("errors", "trials"), [(1, 10), (3, 100), (5, 1125), (40, 90), (10, 10)])
def test_interval_is_clopper_and_pearsons(errors: int, trials: int) -> None:
    rate = Rate.of(errors, trials)
    high = beta.ppf(0.975, errors + 1, trials - errors) if errors < trials else 1.0
    assert rate.low == pytest.approx(beta.ppf(0.025, errors, trials - errors + 1), abs=1e-6)
    assert rate.high == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize(("trials", "high"), [(0, 1.0), (2, 1.0), (100, 0.03), (1125, 3 / 1125)])
def test_without_errors_the_rule_of_three(trials: int, high: float) -> None:
    assert Rate.of(0, trials) == Rate(0, trials, 0.0, high)


def test_scores_that_a_threshold_divides() -> None:
    rates = error_rates([5.0, 9.0], [1.0, 2.0, 3.0], 2.5)
    assert (rates.fmr.errors, rates.fmr.trials) == (1, 3)
    assert (rates.fnmr.errors, rates.fnmr.trials) == (0, 2)
    assert (rates.eer, rates.eer_threshold, rates.gap) == (0.0, 4.0, 2.0)


def test_scores_that_overlap() -> None:
    rates = error_rates([1.0, 4.0, 5.0, 6.0], [0.0, 0.5, 2.0, 0.7], 1.5)
    assert rates.eer == 0.25
    assert rates.gap == -1.0
    thresholds, fmr, fnmr = det_curve([1.0, 3.0], [0.0, 2.0])
    assert thresholds.tolist() == [0, 1, 2, 3]
    assert fmr.tolist() == [1, 0.5, 0.5, 0]
    assert fnmr.tolist() == [0, 0, 0.5, 0.5]
