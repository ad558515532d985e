"""The protocol's table: threshold rules, regions, ways of averaging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from train.histogram import Histogram, first_bin, quantise
from train.metrics import (
    Prediction,
    Scores,
    best_threshold,
    centreline_dice,
    mean,
    score,
    skeleton,
)

A_PRIORI = "a priori: best on the training set"
A_PRIORI_OWN = "a priori: best on the training set of this data set"
FIXED = "fixed: 0.5"
A_POSTERIORI = "a posteriori: best on the test set"
RULES = {
    "a-priori": A_PRIORI,
    "a-priori-own": A_PRIORI_OWN,
    "fixed": FIXED,
    "a-posteriori": A_POSTERIORI,
}
FULL_FRAME, FIELD_OF_VIEW = "full frame", "field of view"
REGIONS = {"frame": FULL_FRAME, "fov": FIELD_OF_VIEW}
POOLED, MEAN = "pooled", "mean over images"


@dataclass(frozen=True)
class Row:
    """Scores by one rule, over one region, put together in one way."""

    rule: str
    threshold: float
    region: str  # "full frame" or "field of view"
    averaging: str  # "pooled" or "mean over images"
    scores: Scores


@dataclass(frozen=True)
class Counted:
    """What a photograph adds to every score but clDice: `regions` by region's name."""

    id: str
    regions: dict[str, Histogram]


@dataclass(frozen=True)
class Kept:
    """A test photograph's map at 2.25 bytes a pixel: clDice needs thresholds and a plane.

    `bins` (H, W) uint16; label and field of view as packed bits.
    """

    id: str
    bins: NDArray[np.uint16]
    label_bits: NDArray[np.uint8]
    fov_bits: NDArray[np.uint8]

    def mask(self, threshold: float) -> NDArray[np.bool_]:
        return np.asarray(self.bins >= first_bin(threshold), np.bool_)

    @property
    def label(self) -> NDArray[np.bool_]:
        return self._unpacked(self.label_bits)

    @property
    def fov(self) -> NDArray[np.bool_]:
        return self._unpacked(self.fov_bits)

    def _unpacked(self, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        found = np.unpackbits(bits, count=self.bins.size).reshape(self.bins.shape)
        return found.astype(np.bool_)


def count(one: Prediction) -> tuple[Counted, Kept]:
    """Lets go of a prediction's float32 map.

    Raises:
        UsageError: the map holds what is no number.
    """
    if not np.isfinite(one.probability).all():
        raise UsageError(f"{one.id}: the network's output is not finite: its training diverged")
    bins = quantise(one.probability)
    inside = Histogram.of(bins[one.fov], one.label[one.fov])
    outside = Histogram.of(bins[~one.fov], one.label[~one.fov])
    regions = {FULL_FRAME: inside + outside, FIELD_OF_VIEW: inside}
    kept = Kept(one.id, bins, np.packbits(one.label), np.packbits(one.fov))
    return Counted(one.id, regions), kept


def summed(counted: Sequence[Counted], region: str) -> Histogram:
    """All pixels of all photographs as one set."""
    return reduce(add, (one.regions[region] for one in counted))


def alike(sets: Sequence[Histogram]) -> Histogram:
    """Several data sets as one in which each weighs the same; a single one as it is."""
    return sets[0] if len(sets) == 1 else reduce(add, (one.weighed() for one in sets))


def thresholds(
    train: Mapping[str, Sequence[Counted]], test: Sequence[Counted], tested: str
) -> dict[tuple[str, str], float]:
    """By (region, rule); each region has its own best ones.

    `train` holds the photographs of each training set by its name; several sets weigh the same, and
    where `tested` is one of them, there is a rule more: its own photographs alone.
    """
    found = {}
    for region in (FULL_FRAME, FIELD_OF_VIEW):
        sets = {name: summed(one, region) for name, one in train.items()}
        found[region, A_PRIORI] = best_threshold(alike(list(sets.values())))
        if len(sets) > 1 and tested in sets:
            found[region, A_PRIORI_OWN] = best_threshold(sets[tested])
        found[region, FIXED] = 0.5
        found[region, A_POSTERIORI] = best_threshold(summed(test, region))
    return found


def rows(
    test: Sequence[Counted], at: dict[tuple[str, str], float], cldice: Sequence[dict[str, float]]
) -> list[Row]:
    """Every rule, region and averaging; `cldice` is `centrelines` of each photograph."""
    result = []
    for (region, rule), threshold in at.items():
        histograms = [one.regions[region] for one in test]
        centreline = [one[_key(region, threshold)] for one in cldice]
        for averaging, scores in (
            (POOLED, score(reduce(add, histograms), threshold)),
            (MEAN, mean(histograms, threshold, centreline)),
        ):
            result.append(Row(rule, threshold, region, averaging, scores))
    return result


def centrelines(kept: Kept, at: dict[tuple[str, str], float]) -> dict[str, float]:
    """clDice of one photograph by region and threshold; each mask is thinned once."""
    label, fov = kept.label, kept.fov
    theirs = skeleton(label)
    found = {}
    for threshold in sorted(set(at.values())):
        mask = kept.mask(threshold)
        skeletons = (skeleton(mask), theirs)
        for region, inside in ((FULL_FRAME, None), (FIELD_OF_VIEW, fov)):
            value = centreline_dice(mask, label, inside, skeletons)
            found[_key(region, threshold)] = value
    return found


def _key(region: str, threshold: float) -> str:
    return f"{region} {threshold}"
