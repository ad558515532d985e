"""Scores of maps whose answer is known."""

import numpy as np
import pytest
import torch

from edge_vessel.errors import UsageError
from train.histogram import Histogram, quantise
from train.losses import bce_jaccard, soft_jaccard
from train.metrics import (
    Prediction,
    best_threshold,
    centreline_dice,
    mean,
    pooled,
    score,
    skeleton,
)
from train.protocol import (
    A_PRIORI,
    A_PRIORI_OWN,
    FIELD_OF_VIEW,
    FULL_FRAME,
    centrelines,
    count,
    summed,
    thresholds,
)
from train.soft_labels import levelled


def _prediction(probability, label, fov=None) -> Prediction:
    label = np.array(label, bool)
    return Prediction(
        "x",
        np.array(probability, np.float32),
        label,
        np.ones_like(label) if fov is None else np.array(fov, bool),
    )


def test_scores_of_a_known_confusion():
    # 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
    p = np.array([0.9] * 3 + [0.9] + [0.1] * 2 + [0.1] * 4, np.float32)
    y = np.array([1] * 3 + [0] + [1] * 2 + [0] * 4, bool)
    found = score(Histogram.of(quantise(p), y), 0.5)
    assert found.dice == pytest.approx(6 / 9)
    assert found.accuracy == pytest.approx(0.7)
    assert found.sensitivity == pytest.approx(0.6)
    assert found.specificity == pytest.approx(0.8)
    assert found.mcc == pytest.approx((3 * 4 - 1 * 2) / np.sqrt(4 * 5 * 5 * 6))
    assert found.auc == pytest.approx(0.7)


def test_pooled_and_mean_differ_and_the_field_of_view_counts():
    a = _prediction([[0.9, 0.9, 0.9]], [[1, 1, 1]])
    b = _prediction([[0.9, 0.1, 0.9]], [[0, 0, 1]], [[0, 1, 1]])
    assert pooled([a, b], 0.5, inside=False).dice == pytest.approx(8 / 9)
    assert pooled([a, b], 0.5, inside=True).dice == 1.0
    counted = [count(one)[0] for one in (a, b)]
    frames = [one.regions[FULL_FRAME] for one in counted]
    assert mean(frames, 0.5).dice == pytest.approx((1 + 2 / 3) / 2)
    for region, inside in ((FULL_FRAME, False), (FIELD_OF_VIEW, True)):
        assert score(summed(counted, region), 0.5) == pooled([a, b], 0.5, inside)


def test_pooled_counts_pixels_at_thresholds_that_no_bin_knows():
    one = _prediction([[0.50001, 0.50003]], [[0, 1]])
    assert pooled([one], 0.50002, inside=False).dice == 1.0


def test_best_threshold_separates():
    one = _prediction([[0.3, 0.35, 0.6, 0.7]], [[0, 0, 1, 1]])
    assert best_threshold(count(one)[0].regions[FULL_FRAME]) == 0.36


def test_thresholds_of_the_training_set_do_not_look_at_the_test_set():
    train, test = _prediction([[0.3, 0.6]], [[0, 1]]), _prediction([[0.7, 0.9]], [[0, 1]])
    at = thresholds({"a": [count(train)[0]]}, [count(test)[0]], "a")
    found = {rule.partition(":")[0]: value for (region, rule), value in at.items()}
    assert found == {"a priori": 0.31, "fixed": 0.5, "a posteriori": 0.71}


def test_a_map_of_no_numbers_is_refused():
    with pytest.raises(UsageError, match=r"x: .*diverged"):
        count(_prediction([[0.3, np.nan]], [[0, 1]]))


def test_what_is_kept_of_a_photograph_is_what_was_predicted():
    random = np.random.default_rng(0)
    one = _prediction(
        random.random((13, 7)), random.random((13, 7)) > 0.5, random.random((13, 7)) > 0.3
    )
    kept = count(one)[1]
    assert np.array_equal(kept.mask(0.37), one.probability >= np.float32(0.37))
    assert np.array_equal(kept.label, one.label)
    assert np.array_equal(kept.fov, one.fov)


def test_centrelines_of_a_region_are_those_of_the_frame():
    label = np.zeros((60, 60), bool)
    label[28:33, 5:55] = True
    lost = label.copy()
    lost[:, 30:] = False
    left = np.zeros_like(label)
    left[:, :25] = True
    kept = count(_prediction(lost, label, left))[1]
    found = centrelines(kept, {(FULL_FRAME, "fixed"): 0.5})
    assert found[f"{FULL_FRAME} 0.5"] == centreline_dice(lost, label)
    assert found[f"{FIELD_OF_VIEW} 0.5"] == 1.0
    skeletons = skeleton(lost), skeleton(label)
    assert centreline_dice(lost, label, left, skeletons) == 1.0
    assert centreline_dice(lost, label, ~left) < found[f"{FULL_FRAME} 0.5"]


def test_centreline_dice_forgives_calibre_but_not_a_lost_branch():
    label = np.zeros((60, 60), bool)
    label[28:33, 5:55] = True
    thin = np.zeros_like(label)
    thin[30, 5:55] = True
    assert centreline_dice(label, label) == 1.0
    assert centreline_dice(thin, label) > 0.95
    half = thin.copy()
    half[:, 30:] = False
    assert centreline_dice(half, label) < 0.75
    assert centreline_dice(np.zeros_like(label), label) == 0.0


def test_soft_jaccard_is_the_papers():
    p, y = torch.tensor([0.5, 1.0]), torch.tensor([1.0, 0.0])
    assert soft_jaccard(p, y).item() == pytest.approx(0.5 / (1.5 + 1.0 - 0.5), abs=1e-6)


def test_loss_of_a_perfect_map_vanishes():
    label = (torch.rand(1, 1, 8, 8) > 0.5).float()
    assert bce_jaccard((2 * label - 1) * 50, label).item() == pytest.approx(0.0, abs=1e-5)
    assert bce_jaccard(-(2 * label - 1) * 50, label).item() > 10


def test_several_training_sets_weigh_the_same_however_large_they_are():
    large = _prediction([[0.6, 0.8] * 500], [[0, 1] * 500])
    small = _prediction([[0.1, 0.4, 0.4, 0.4]], [[0, 1, 1, 1]])
    sets = {"large": [count(large)[0]], "small": [count(small)[0]]}
    at = thresholds(sets, sets["small"], "small")
    assert at[FULL_FRAME, A_PRIORI_OWN] == 0.11
    together = at[FULL_FRAME, A_PRIORI]
    at = thresholds({"both": [*sets["large"], *sets["small"]]}, sets["small"], "both")
    assert (FULL_FRAME, A_PRIORI_OWN) not in at
    as_one = at[FULL_FRAME, A_PRIORI]
    # Dice at 0.11: 0.833 of weights, 0.668 of pixels; at 0.61: 0.571 and 0.997.
    assert (together, as_one) == (0.11, 0.61)


@pytest.mark.parametrize(
    ("probability", "threshold", "expected"),
    [
        (0.65, 0.65, 0.5),
        (0.3, 0.5, 0.3),
        (0.5, 0.8, 0.2),  # odds of 1 over odds of 4
        (0.8, 0.2, 16 / 17),  # odds of 4 over odds of 1/4
        (0.0, 0.3, 0.0),
        (1.0, 0.7, 1.0),
    ],
)
def test_logits_are_shifted_by_the_thresholds(probability, threshold, expected):
    found = levelled(np.full((1, 2), probability, np.float32), threshold)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)
