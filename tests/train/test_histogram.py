"""Counts in bins against scikit-learn, which looks at every pixel."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as reference

from train.histogram import EDGES, Confusion, Histogram, confusion, first_bin, quantise
from train.metrics import THRESHOLDS


def _map(kind: str, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels that networks of several kinds might give."""
    random = np.random.default_rng(7)
    label = random.random(count) < 0.1
    noise = random.normal(size=count)
    logits = {
        "unsure": np.where(label, 0.5, -0.5) + 0.5 * noise,
        "usual": np.where(label, 2.0, -3.0) + 1.5 * noise,
        "sure": np.where(label, 8.0, -9.0) + 5 * noise,
        "surer than float32": np.where(label, 30.0, -30.0) + 30 * noise,
        "all alike": np.zeros(count),
    }[kind]
    probability = 1 / (1 + np.exp(-logits))
    if kind == "unsure":
        probability = probability.round(2)  # each on an edge
    return probability.astype(np.float32), label


KINDS = ("unsure", "usual", "sure", "surer than float32", "all alike")


def test_thresholds_are_edges_and_split_float32_exactly():
    for threshold in THRESHOLDS:
        at = np.float32(threshold)
        values = np.array([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))])
        reached = quantise(values) >= first_bin(float(threshold))
        assert reached.tolist() == [False, True, True] == (values >= at).tolist()


def test_the_ends_have_bins():
    below = np.nextafter(np.float32(1), np.float32(0))
    found = quantise(np.array([0.0, below, 1.0], np.float32))
    assert found.tolist() == [0, len(EDGES) - 1, len(EDGES)]


def test_a_threshold_that_no_bin_knows_is_refused():
    with pytest.raises(ValueError, match="no edge"):
        first_bin(0.123456)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.58, 0.95])
def test_scores_at_a_threshold_are_scikit_learns(kind, threshold):
    probability, label = _map(kind)
    mask = probability >= np.float32(threshold)
    found = Histogram.of(quantise(probability), label).confusion(threshold)
    assert found == confusion(mask, label)
    assert found.dice == pytest.approx(reference.f1_score(label, mask, zero_division=0))
    assert found.accuracy == pytest.approx(reference.accuracy_score(label, mask))
    assert found.sensitivity == pytest.approx(reference.recall_score(label, mask))
    assert found.specificity == pytest.approx(reference.recall_score(~label, ~mask))
    assert found.precision == pytest.approx(reference.precision_score(label, mask, zero_division=0))
    assert found.mcc == pytest.approx(reference.matthews_corrcoef(label, mask))


@pytest.mark.parametrize("kind", KINDS)
def test_auc_is_scikit_learns(kind):
    probability, label = _map(kind)
    found = Histogram.of(quantise(probability), label)
    assert found.auc == pytest.approx(reference.roc_auc_score(label, probability), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_of_the_curve_is_scikit_learns(kind):
    probability, label = _map(kind)
    points = Histogram.of(quantise(probability), label).precision_recall()
    assert 1 <= len(points) <= 200
    for point in points:
        mask = probability >= np.float32(point.threshold)
        assert point.recall == pytest.approx(reference.recall_score(label, mask), abs=1e-6)
        assert point.precision == pytest.approx(reference.precision_score(label, mask), abs=1e-6)
    recall = [point.recall for point in points]
    assert recall == sorted(recall, reverse=True)


def test_the_curve_leaves_no_gap_that_the_pixels_do_not_leave():
    probability, label = _map("usual")
    recall = [p.recall for p in Histogram.of(quantise(probability), label).precision_recall()]
    assert recall[0] == 1.0
    assert max(a - b for a, b in pairwise(recall)) < 0.02


@pytest.mark.parametrize(
    ("counts", "mcc"),
    [
        ((3, 1, 2, 4), (3 * 4 - 1 * 2) / np.sqrt(4 * 5 * 5 * 6)),
        ((0, 0, 5, 5), 0.0),
        ((0, 0, 0, 9), 0.0),
        ((20_000_000, 0, 0, 226_000_000), 1.0),  # HRF's pixels: products past 64 bits
    ],
)
def test_mcc_of_known_counts(counts, mcc):
    assert Confusion(*counts).mcc == pytest.approx(mcc)


def test_a_sum_of_histograms_is_the_histogram_of_all():
    probability, label = _map("sure")
    bins = quantise(probability)
    parts = Histogram.of(bins[:100], label[:100]) + Histogram.of(bins[100:], label[100:])
    whole = Histogram.of(bins, label)
    assert np.array_equal(parts.vessel, whole.vessel)
    assert np.array_equal(parts.background, whole.background)
    weighed = whole.weighed()
    assert weighed.vessel.sum() + weighed.background.sum() == pytest.approx(2**40)
    assert weighed.confusion(0.5).dice == pytest.approx(whole.confusion(0.5).dice)
