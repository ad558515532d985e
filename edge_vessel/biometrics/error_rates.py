"""Error rates of comparison scores, with what their counts can carry; words of ISO/IEC 19795-1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONFIDENCE = 0.95
_HALVINGS = 50


@dataclass(frozen=True)
class Rate:
    """`errors` in `trials`, and the 95 % interval of the rate, trials taken as independent.

    Clopper and Pearson, Biometrika 26(4), 1934; where no error was seen, from 0 to the rule of
    three (3 / trials; Hanley and Lippman-Hand, JAMA 249(13), 1983).
    """

    errors: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, errors: int, trials: int) -> "Rate":
        """`trials` may be 0: then nothing is known."""
        if not trials:
            return cls(0, 0, 0.0, 1.0)
        tail = (1 - _CONFIDENCE) / 2
        low = _solve(errors, trials, tail) if errors else 0.0
        high = 1 - _solve(trials - errors, trials, tail) if errors < trials else 1.0
        return cls(errors, trials, low, min(1.0, 3 / trials) if not errors else high)

    @property
    def rate(self) -> float:
        """Seen."""
        return self.errors / self.trials if self.trials else 0.0


@dataclass(frozen=True)
class ErrorRates:
    """At a threshold: a comparison matches from there on.

    eer: equal error rate over all thresholds, half the sum where the two do not meet exactly.
    eer_threshold: where; the middle of the gap where there are no errors.
    gap: lowest mated score less the highest non-mated; positive where a threshold divides them.
    """

    threshold: float
    fmr: Rate
    fnmr: Rate
    eer: float
    eer_threshold: float
    gap: float


def error_rates(mated: Sequence[float], non_mated: Sequence[float], threshold: float) -> ErrorRates:
    """Of scores; neither is empty."""
    thresholds, fmr, fnmr = det_curve(mated, non_mated)
    nearest = int(np.abs(fmr - fnmr).argmin())
    gap = min(mated) - max(non_mated)
    divides = (min(mated) + max(non_mated)) / 2
    return ErrorRates(
        threshold=threshold,
        fmr=Rate.of(sum(score >= threshold for score in non_mated), len(non_mated)),
        fnmr=Rate.of(sum(score < threshold for score in mated), len(mated)),
        eer=float(fmr[nearest] + fnmr[nearest]) / 2,
        eer_threshold=divides if gap > 0 else float(thresholds[nearest]),
        gap=gap,
    )


def det_curve(
    mated: Sequence[float], non_mated: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(thresholds, FMR, FNMR), each (T,): at every score seen, thresholds ascending."""
    thresholds = np.unique(np.concatenate([mated, non_mated]))
    below = np.searchsorted(np.sort(non_mated), thresholds, side="left")
    missed = np.searchsorted(np.sort(mated), thresholds, side="left")
    return thresholds, 1 - below / len(non_mated), missed / len(mated)


def _solve(errors: int, trials: int, tail: float) -> float:
    """The share at which `errors` or more of `trials` have the probability `tail`."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_least(errors, trials, middle) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_least(errors: int, trials: int, share: float) -> float:
    counts = np.arange(errors, trials + 1)
    choices = np.array(
        [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in counts]
    )
    logs = choices + counts * math.log(share) + (trials - counts) * math.log1p(-share)
    return float(np.exp(logs).sum())
