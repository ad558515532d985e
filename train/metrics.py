"""How well a probability map agrees with a label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from train.histogram import Confusion, Histogram, confusion, quantise

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


def score(histogram: Histogram, threshold: float) -> Scores:
    """Scores of any set of pixels.

    Raises:
        ValueError: the threshold is no edge of a bin; those of THRESHOLDS are.
    """
    return _scores(histogram.confusion(threshold), histogram.auc)


def pooled(predictions: Iterable[Prediction], threshold: float, inside: bool) -> Scores:
    """Scores of all pixels of all photographs as one set; `inside` the field of view only.

    Any threshold is exact here: its pixels are counted, not its bins.
    """
    at, bins = [], []
    for one in predictions:
        region = one.fov if inside else np.ones_like(one.fov)
        probability, label = one.probability[region], one.label[region]
        at.append(confusion(probability >= np.float32(threshold), label))
        bins.append(Histogram.of(quantise(probability), label))
    return _scores(reduce(add, at), reduce(add, bins).auc)


def mean(
    histograms: Sequence[Histogram], threshold: float, cldice: Sequence[float] | None = None
) -> Scores:
    """The mean over photographs of each score, given a histogram (and clDice) of each."""
    found = [score(one, threshold) for one in histograms]
    names = ("dice", "accuracy", "sensitivity", "specificity", "auc", "mcc")
    values = (float(np.mean([getattr(one, name) for one in found])) for name in names)
    return Scores(*values, cldice=None if cldice is None else float(np.mean(cldice)))


def best_threshold(histogram: Histogram) -> float:
    """The threshold in 0.05, 0.06 ... 0.95 with the highest Dice; of equal ones the lowest."""
    dice = [histogram.confusion(float(threshold)).dice for threshold in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(dice))])


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The centreline of an (H, W) mask."""
    return np.asarray(skeletonize(mask), np.bool_)


def centreline_dice(
    mask: NDArray[np.bool_],
    label: NDArray[np.bool_],
    region: NDArray[np.bool_] | None = None,
    skeletons: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
) -> float:
    """clDice of two (H, W) masks. Source: Shit et al., "clDice", CVPR 2021, equation 1.

    Args:
        region: counts only what lies in it; skeletons are the whole frame's, so that its edge
            makes no centrelines of its own.
        skeletons: of mask and label, where the caller has them.
    """
    ours, theirs = skeletons or (skeleton(mask), skeleton(label))
    if region is not None:
        ours, theirs = ours & region, theirs & region
    precision = float(label[ours].mean()) if ours.any() else 0.0
    sensitivity = float(mask[theirs].mean()) if theirs.any() else 0.0
    total = precision + sensitivity
    return 2 * precision * sensitivity / total if total else 0.0


def _scores(at: Confusion, auc: float) -> Scores:
    return Scores(at.dice, at.accuracy, at.sensitivity, at.specificity, auc, at.mcc)
