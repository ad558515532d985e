"""How well a probability map agrees with a label."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.morphology import skeletonize
from torchmetrics.classification import BinaryPrecisionRecallCurve
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_auroc,
    binary_f1_score,
    binary_matthews_corrcoef,
    binary_recall,
    binary_specificity,
)

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.01), 2)


@dataclass(frozen=True)
class Prediction:
    """One photograph: probability (H, W) float32, label and fov (H, W) bool, all full frame."""

    id: str
    probability: NDArray[np.float32]
    label: NDArray[np.bool_]
    fov: NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """At one threshold, all in [0, 1] but `mcc` in [-1, 1]; `auc` is free of the threshold.

    `cldice` is None where pixels of several photographs are pooled: a skeleton needs a plane.
    """

    dice: float
    accuracy: float
    sensitivity: float
    specificity: float
    auc: float
    mcc: float
    cldice: float | None = None


def score(probability: NDArray[np.float32], label: NDArray[np.bool_], threshold: float) -> Scores:
    """Scores of any set of pixels: arrays of one shape."""
    p = torch.from_numpy(np.ascontiguousarray(probability).ravel())
    y = torch.from_numpy(np.ascontiguousarray(label).ravel()).int()
    at = (p >= threshold).int()
    return Scores(
        dice=float(binary_f1_score(at, y)),
        accuracy=float(binary_accuracy(at, y)),
        sensitivity=float(binary_recall(at, y)),
        specificity=float(binary_specificity(at, y)),
        auc=float(binary_auroc(p, y)),
        mcc=float(binary_matthews_corrcoef(at, y)),
    )


def centreline_dice(mask: NDArray[np.bool_], label: NDArray[np.bool_]) -> float:
    """clDice of two (H, W) masks. Source: Shit et al., "clDice", CVPR 2021, equation 1."""
    ours, theirs = skeletonize(mask), skeletonize(label)
    precision = float(label[ours].mean()) if ours.any() else 0.0
    sensitivity = float(mask[theirs].mean()) if theirs.any() else 0.0
    total = precision + sensitivity
    return 2 * precision * sensitivity / total if total else 0.0


def _pixels(one: Prediction, inside: bool) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    if inside:
        return one.probability[one.fov], one.label[one.fov]
    return one.probability.ravel(), one.label.ravel()


def pooled(predictions: Iterable[Prediction], threshold: float, inside: bool) -> Scores:
    """Scores of all pixels of all photographs as one set; `inside` the field of view only."""
    parts = [_pixels(one, inside) for one in predictions]
    return score(
        np.concatenate([p for p, _ in parts]), np.concatenate([y for _, y in parts]), threshold
    )


def mean(predictions: Iterable[Prediction], threshold: float, inside: bool) -> Scores:
    """The mean over photographs of each score."""
    rows = []
    for one in predictions:
        found = score(*_pixels(one, inside), threshold)
        mask, label = one.probability >= threshold, one.label
        if inside:
            mask, label = mask & one.fov, label & one.fov
        scores = (found.dice, found.accuracy, found.sensitivity, found.specificity)
        rows.append((*scores, found.auc, found.mcc, centreline_dice(mask, label)))
    return Scores(*(float(value) for value in np.mean(rows, axis=0)))


def best_threshold(predictions: Iterable[Prediction], inside: bool = False) -> float:
    """The threshold in 0.05, 0.06 ... 0.95 with the highest pooled Dice."""
    curve = BinaryPrecisionRecallCurve(thresholds=torch.from_numpy(THRESHOLDS).float())
    for one in predictions:
        probability, label = _pixels(one, inside)
        curve.update(torch.from_numpy(probability), torch.from_numpy(label).int())
    precision, recall, _ = curve.compute()
    # A threshold above every probability has no precision: nan in torchmetrics.
    dice = (2 * precision * recall / (precision + recall))[:-1].nan_to_num(0.0)
    return float(THRESHOLDS[int(dice.argmax())])
