"""What a probability map and its label have in common, as counts: small, and sums pool them."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
_TAIL = np.logspace(-8, -4, 801)[:-1]
_LAST = 1.0 - np.arange(3) * 2.0**-24  # the largest float32, 1 itself among them

EDGES: NDArray[np.float32] = np.unique(
    np.concatenate(
        [
            np.logspace(-44, -8, 360),
            _TAIL,
            np.arange(1, 10_000) / 10_000,
            np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS,
            1.0 - _TAIL[_TAIL >= 1e-7],
            _LAST,
        ]
    ).astype(np.float32)
)
"""Where bins begin, float32: every 0.0001, so that thresholds of two decimals are edges, finer
towards 0 and 1, where most pixels of a photograph lie, and at the fifteenths of calibration."""

BINS = len(EDGES) + 1


def _logits_of_bins() -> NDArray[np.float64]:
    limits = np.clip(np.concatenate([[0.0], EDGES.astype(np.float64), [1.0]]), 1e-45, 1 - 1e-8)
    logits = np.log(limits / (1.0 - limits))
    return np.asarray((logits[1:] + logits[:-1]) / 2, np.float64)


LOGITS = _logits_of_bins()
"""The middle of each bin in log-odds, float64."""


def quantise(probability: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bin of each probability: bin >= `first_bin(t)` exactly where p >= t in float32."""
    return np.searchsorted(EDGES, probability, side="right").astype(np.uint16)


def first_bin(threshold: float) -> int:
    """The first bin of the probabilities that reach the threshold, which has to be an edge.

    Raises:
        ValueError: it is not: the bins cannot tell.
    """
    index = int(np.searchsorted(EDGES, np.float32(threshold)))
    if index == len(EDGES) or EDGES[index] != np.float32(threshold):
        raise ValueError(f"threshold {threshold} is no edge of a bin")
    return index + 1


@dataclass(frozen=True)
class Confusion:
    """Pixels at one threshold. A rate whose denominator is 0 is 0, as torchmetrics has it."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def dice(self) -> float:
        tp, fp, fn = self.true_positives, self.false_positives, self.false_negatives
        return _ratio(2 * tp, 2 * tp + fp + fn)

    @property
    def accuracy(self) -> float:
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def sensitivity(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def precision(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient, in [-1, 1]."""
        tp, fp = self.true_positives, self.false_positives
        fn, tn = self.false_negatives, self.true_negatives
        return _ratio(tp * tn - fp * fn, sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
            self.true_negatives + other.true_negatives,
        )


def confusion(mask: NDArray[np.bool_], label: NDArray[np.bool_]) -> Confusion:
    """Of two sets of pixels of one shape."""
    tp = int(np.count_nonzero(mask & label))
    ours, theirs = int(np.count_nonzero(mask)), int(np.count_nonzero(label))
    return Confusion(tp, ours - tp, theirs - tp, mask.size - ours - theirs + tp)


@dataclass(frozen=True)
class Histogram:
    """Pixels in each bin, (BINS,) int64 each."""

    vessel: NDArray[Any]
    background: NDArray[Any]

    @classmethod
    def of(cls, bins: NDArray[np.uint16], label: NDArray[np.bool_]) -> "Histogram":
        """From `quantise`d probabilities and labels of one shape."""
        return cls(
            np.bincount(bins[label], minlength=BINS), np.bincount(bins[~label], minlength=BINS)
        )

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.vessel + other.vessel, self.background + other.background)

    def weighed(self) -> "Histogram":
        """The same as if it were of 2**40 pixels, so that data sets of any size weigh the same."""
        factor = 2.0**40 / max(1, self.vessel.sum() + self.background.sum())
        vessel, background = (
            np.rint(counts * factor).astype(np.int64) for counts in (self.vessel, self.background)
        )
        return Histogram(vessel, background)

    def confusion(self, threshold: float) -> Confusion:
        """Pixels of p >= threshold are taken for vessel; exact at every edge.

        Raises:
            ValueError: the threshold is no edge of a bin.
        """
        first = first_bin(threshold)
        return Confusion(
            int(self.vessel[first:].sum()),
            int(self.background[first:].sum()),
            int(self.vessel[:first].sum()),
            int(self.background[:first].sum()),
        )

    @property
    def auc(self) -> float:
        """Area under the ROC curve by trapezia: pairs in the same bin count half. 0 for one class.

        Within 1e-4 of the exact one where fewer than 1 pair in 5,000 shares a bin.
        """
        below = np.cumsum(self.background) - self.background / 2.0
        pairs = float(self.vessel.sum()) * float(self.background.sum())
        return _ratio(float((self.vessel * below).sum()), pairs)

    def precision_recall(self, points: int = 200) -> tuple["Point", ...]:
        """The curve at up to `points` edges that lie evenly along the recall."""
        tp = np.cumsum(self.vessel[::-1])[::-1][1:]  # of each edge
        fp = np.cumsum(self.background[::-1])[::-1][1:]
        recall = tp / max(1, self.vessel.sum())
        wanted = np.searchsorted(-recall, -np.linspace(1.0, 0.0, points))
        chosen = np.unique(np.clip(wanted, 0, len(EDGES) - 1))
        return tuple(
            Point(
                float(f"{EDGES[i]:.8g}"),
                round(_ratio(float(tp[i]), float(tp[i] + fp[i])), 6),
                round(float(recall[i]), 6),
            )
            for i in chosen
            if tp[i] + fp[i] > 0
        )


@dataclass(frozen=True)
class Point:
    """One threshold of a precision-recall curve."""

    threshold: float
    precision: float
    recall: float


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
