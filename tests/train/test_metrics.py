"""Scores of maps whose answer is known."""

import numpy as np
import pytest
import torch

from train.losses import bce_jaccard, soft_jaccard
from train.metrics import Prediction, best_threshold, centreline_dice, mean, pooled, score


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
    found = score(p, y, 0.5)
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
    assert mean([a, b], 0.5, inside=False).dice == pytest.approx((1 + 2 / 3) / 2)


def test_best_threshold_separates():
    one = _prediction([[0.3, 0.35, 0.6, 0.7]], [[0, 0, 1, 1]])
    assert 0.35 < best_threshold([one]) <= 0.6


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
