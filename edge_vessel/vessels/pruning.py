"""What a skeleton has too much and too little of: spurs, specks, gaps."""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.draft import Chain, Draft, direction

_SPUR = 2.5  # of the radius at the junction: a shorter branch is a bump of the vessel's wall
_SPECK = 3.0  # calibres of all the lines that hang together
_GAP = 5.0  # calibres between two ends
_GAP_SLOPE = np.tan(np.radians(25))  # both ends point along the gap
_SIDE = 0.5  # calibres to the side, whatever the slope
_OPPOSED = -np.cos(np.radians(45))  # and against each other
_GAP_CALIBRES = 2.0  # the wider end's calibre over the narrower's
_REACH = 3.0  # calibres over which the direction of an end is taken


def prune(draft: Draft) -> None:
    """Takes out spurs, bridges gaps, takes out specks; nodes between two chains go."""
    _remove_spurs(draft)
    _bridge_gaps(draft)
    _remove_specks(draft)


def _remove_spurs(draft: Draft) -> None:
    """Of each junction the shortest first: where a vessel's end forks, one prong stays."""
    while True:
        shortest: dict[int, tuple[float, int]] = {}
        for number, chain in draft.chains.items():
            for tip, node in ((chain.start, chain.end), (chain.end, chain.start)):
                if len(draft.at(tip)) == 1 and len(draft.at(node)) > 2:
                    spur = (chain.length, number)
                    if chain.length < _SPUR * draft.radius[node]:
                        shortest[node] = min(shortest.get(node, spur), spur)
        if not shortest:
            return
        for node, (_, number) in shortest.items():
            draft.remove(number)
            draft.join(node)


def _remove_specks(draft: Draft) -> None:
    """Blobs and dashes: small in calibres, their own or all vessels'."""
    usual = _mean_calibre(draft, set(draft.chains))
    for together in draft.components():
        length = sum(draft.chains[number].length for number in together)
        if length <= _SPECK * max(usual, _mean_calibre(draft, together)):
            for number in together:
                draft.remove(number)


def _mean_calibre(draft: Draft, numbers: set[int]) -> float:
    chains = [draft.chains[number] for number in numbers]
    length = sum(chain.length for chain in chains)
    return sum(chain.calibre * chain.length for chain in chains) / length if length else 0.0


def _bridge_gaps(draft: Draft) -> None:
    """Joins ends that face each other, the nearest first."""
    ends = [node for node in draft.position if len(draft.at(node)) == 1]
    if len(ends) < 2:
        return
    at = np.array([draft.position[node] for node in ends])
    chains = [draft.leaving(draft.at(node)[0], node) for node in ends]
    calibre = np.array([chain.calibre for chain in chains])
    onward = np.array([-direction(one.points, 0.0, _REACH * one.calibre) for one in chains])
    gap = at[None] - at[:, None]
    distance = np.hypot(gap[..., 0], gap[..., 1])
    usual = np.add.outer(calibre, calibre) / 2
    along = np.einsum("ijk,ik->ij", gap, onward)
    across = np.sqrt(np.maximum(distance**2 - along**2, 0.0))
    # Close by, half a calibre to the side is how the ends were drawn and no direction.
    ahead = (along >= -_SIDE * usual) & (across <= _GAP_SLOPE * along.clip(0) + _SIDE * usual)
    faces = ahead & ahead.T & (onward @ onward.T <= _OPPOSED)
    faces &= (distance <= _GAP * usual) & (np.divide.outer(calibre, calibre) <= _GAP_CALIBRES)
    faces &= faces.T
    pairs = np.argwhere(np.triu(faces, 1))
    used: set[int] = set()
    for i, j in sorted(pairs.tolist(), key=lambda pair: distance[pair[0], pair[1]]):
        if not used & {i, j}:
            used |= {i, j}
            _bridge(draft, ends[i], ends[j])


def _bridge(draft: Draft, first: int, second: int) -> None:
    points = _line(draft.position[first], draft.position[second])
    draft.add_chain(Chain(first, second, points, np.full(len(points), np.nan)))
    draft.join(first)
    draft.join(second)


def _line(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    count = max(2, round(float(np.hypot(*(end - start)))) + 1)
    return np.linspace(start, end, count)
