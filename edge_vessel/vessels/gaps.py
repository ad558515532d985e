"""Bridges where a vessel was lost for a short way."""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.draft import Chain, Draft, direction

_GAP = 5.0  # calibres between two ends
_SLOPE = np.tan(np.radians(25))  # both ends point along the gap
_SIDE = 0.5  # calibres to the side, whatever the slope
_OPPOSED = -np.cos(np.radians(45))  # and against each other
_CALIBRES = 2.0  # the wider end's calibre over the narrower's
_REACH = 3.0  # calibres over which the direction of an end is taken


def bridge_gaps(draft: Draft) -> None:
    """Joins ends that face each other, the nearest first."""
    ends = [node for node in draft.position if len(draft.at(node)) == 1]
    ends.sort(key=lambda node: float(draft.position[node][0]))
    used: set[int] = set()
    for _, first, second in sorted(_facing(draft, ends)):
        if not used & {first, second}:
            used |= {first, second}
            _bridge(draft, ends[first], ends[second])


def _facing(draft: Draft, ends: list[int]) -> list[tuple[float, int, int]]:
    """The distances of ends that may be joined, with their places in `ends`, which is sorted by x:
    each end is compared with those no further to its right than a gap may be wide."""
    if not ends:
        return []
    at = np.array([draft.position[node] for node in ends])
    chains = [draft.leaving(draft.at(node)[0], node) for node in ends]
    calibre = np.array([chain.calibre for chain in chains])
    onward = np.array([-direction(one.points, 0.0, _REACH * one.calibre) for one in chains])
    # Of a pair's calibres the mean is at most so much more than either.
    reach = _GAP * calibre * (1 + _CALIBRES) / 2
    last = np.searchsorted(at[:, 0], at[:, 0] + reach, side="right")
    found = []
    for one, end in enumerate(last.tolist()):
        others = slice(one + 1, end)
        gap = at[others] - at[one]
        distance = np.hypot(gap[:, 0], gap[:, 1])
        usual = (calibre[others] + calibre[one]) / 2
        ratio = calibre[others] / calibre[one]
        faces = (distance <= _GAP * usual) & (ratio <= _CALIBRES) & (ratio * _CALIBRES >= 1)
        faces &= onward[others] @ onward[one] <= _OPPOSED
        faces &= _ahead(gap @ onward[one], distance, usual)
        faces &= _ahead(-(gap * onward[others]).sum(axis=1), distance, usual)
        found += [(float(distance[k]), one, one + 1 + int(k)) for k in np.flatnonzero(faces)]
    return found


def _ahead(
    along: NDArray[np.float64], distance: NDArray[np.float64], usual: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Close by, half a calibre to the side is how the ends were drawn and no direction."""
    across = np.sqrt(np.maximum(distance**2 - along**2, 0.0))
    side = _SIDE * usual
    return np.asarray((along >= -side) & (across <= _SLOPE * along.clip(0) + side))


def _bridge(draft: Draft, first: int, second: int) -> None:
    start, end = draft.position[first], draft.position[second]
    points = np.linspace(start, end, max(2, round(float(np.hypot(*(end - start)))) + 1))
    draft.add_chain(Chain(first, second, points, np.full(len(points), np.nan)))
    draft.join(first)
    draft.join(second)
