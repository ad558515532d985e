"""Can templates of one eye under two keys be told from those of two eyes? ISO/IEC 30136's measure.

M. Gomez-Barrero, J. Galbally, C. Rathgeb, C. Busch, "General framework to evaluate unlinkability in
biometric template protection systems", IEEE Trans. on Information Forensics and Security 13(6),
2018: D(s), local, and D_sys, global; 0 where nothing is told, 1 where all is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MATED_A_BIN = 10  # as the paper's authors: fewer bins where scores are few
_MOST_BINS = 100
_RESAMPLES = 1000
_TAILS = (2.5, 97.5)


@dataclass(frozen=True)
class Unlinkability:
    """Of one way to link templates.

    mated, non_mated: its scores, of one eye and of two, under two keys each.
    d_sys: D_sys, of histograms; never negative, so noise alone makes it positive.
    low, high: 95 % bootstrap interval, scores drawn anew as if they were independent.
    chance: the 95 % quantile of D_sys when who is mated is shuffled: what up to there is, may be
        noise.
    """

    attack: str
    mated: tuple[float, ...]
    non_mated: tuple[float, ...]
    d_sys: float
    low: float
    high: float
    chance: float


def unlinkability(
    attack: str, mated: Sequence[float], non_mated: Sequence[float], seed: int
) -> Unlinkability:
    """Of scores; neither is empty."""
    rng = np.random.default_rng(seed)
    of_one, of_two = np.asarray(mated, float), np.asarray(non_mated, float)
    edges = _edges(of_one, of_two)
    drawn = [
        d_sys(rng.choice(of_one, len(of_one)), rng.choice(of_two, len(of_two)), edges)
        for _ in range(_RESAMPLES)
    ]
    both = np.concatenate([of_one, of_two])
    shuffled = []
    for _ in range(_RESAMPLES):
        mixed = rng.permutation(both)
        shuffled.append(d_sys(mixed[: len(of_one)], mixed[len(of_one) :], edges))
    low, high = np.percentile(drawn, _TAILS)
    return Unlinkability(
        attack=attack,
        mated=tuple(mated),
        non_mated=tuple(non_mated),
        d_sys=d_sys(of_one, of_two, edges),
        low=float(low),
        high=float(high),
        chance=float(np.percentile(shuffled, 95)),
    )


def local_measure(
    mated: NDArray[np.float64], non_mated: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(edges (B + 1,), D(s) (B,) in [0, 1] within each bin), for a picture."""
    edges = _edges(mated, non_mated)
    return edges, _local(*_shares(mated, non_mated, edges))


def d_sys(
    mated: NDArray[np.float64], non_mated: NDArray[np.float64], edges: NDArray[np.float64]
) -> float:
    """The mean of D(s) over mated scores, over bins."""
    shares = _shares(mated, non_mated, edges)
    return float(shares[0] @ _local(*shares))


def _local(mated: NDArray[np.float64], non_mated: NDArray[np.float64]) -> NDArray[np.float64]:
    """p(mated | s) - p(non-mated | s), both a priori as likely; 0 where that is negative."""
    total = mated + non_mated
    return np.maximum(0, mated - non_mated) / np.where(total > 0, total, 1)


def _shares(
    mated: NDArray[np.float64], non_mated: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, two = (np.histogram(scores, edges)[0] / len(scores) for scores in (mated, non_mated))
    return one, two


def _edges(mated: NDArray[np.float64], non_mated: NDArray[np.float64]) -> NDArray[np.float64]:
    both = np.concatenate([mated, non_mated])
    bins = int(np.clip(len(mated) // _MATED_A_BIN, 2, _MOST_BINS))
    low, high = both.min(), both.max()
    return np.linspace(low, high if high > low else low + 1, bins + 1)
