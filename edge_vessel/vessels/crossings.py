"""Tells a crossing of two vessels from two bifurcations."""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.draft import Draft, stations

_REACH = 2.5  # calibres over which a branch's direction is taken
_MAX_APART = 4.0  # calibres between the two halves of a crossing: they share that much of a line
_MAX_BEND_DEG = 30.0  # of a vessel as it passes another
_MIN_ANGLE_DEG = 20.0  # between the two: nearly parallel vessels touch, they do not cross
_MAX_CALIBRES = 2.0  # a vessel's wider side over its narrower


def join_crossings(draft: Draft) -> None:
    """Makes one node of two bifurcations that are a crossing, the nearest first, and marks it and
    the nodes of four branches that are one in `draft.crossings`.

    Four branches are a crossing where those that lie opposite each other, in their order around the
    node, go on straight and alike wide. Where they do not, two bifurcations stay two.
    """
    for node in list(draft.position):
        if len(draft.at(node)) == 4 and _crosses(draft, [(node, one) for one in draft.at(node)]):
            draft.crossings.add(node)
    short = sorted(draft.chains, key=lambda number: draft.chains[number].length)
    for number in short:
        chain = draft.chains.get(number)
        if chain is None or chain.start == chain.end:
            continue
        ends = (chain.start, chain.end)
        if any(len(draft.at(node)) != 3 for node in ends):
            continue
        branches = [(node, one) for node in ends for one in draft.at(node) if one != number]
        near = len(branches) == 4 and _is_near(draft, chain.length, branches)
        if near and _crosses(draft, branches):
            draft.crossings.add(draft.contract(number))


def _is_near(draft: Draft, length: float, branches: list[tuple[int, int]]) -> bool:
    calibre = np.mean([draft.chains[number].calibre for _, number in branches])
    return bool(length <= _MAX_APART * calibre)


def _crosses(draft: Draft, branches: list[tuple[int, int]]) -> bool:
    """branches: (node, chain) of the four that leave."""
    near, away, calibres = [], [], []
    for node, number in branches:
        chain = draft.leaving(number, node)
        calibre = chain.calibre
        first, second = stations(chain.points, draft.radius[node], _REACH * calibre)
        near.append(first)
        away.append(second - first)
        calibres.append(calibre)
    centre = np.mean([draft.position[node] for node, _ in branches], axis=0)
    around = np.argsort([np.arctan2(*(point - centre)[::-1]) for point in near])
    lines = []
    for i, j in (around[[0, 2]], around[[1, 3]]):
        line = near[j] - near[i]
        bend = max(_angle_deg(line, away[j]), _angle_deg(-line, away[i]))
        if bend > _MAX_BEND_DEG or not _alike(calibres[i], calibres[j]):
            return False
        lines.append(line)
    angle = _angle_deg(lines[0], lines[1])
    return min(angle, 180 - angle) >= _MIN_ANGLE_DEG


def _alike(first: float, second: float) -> bool:
    return max(first, second) <= _MAX_CALIBRES * min(first, second)


def _angle_deg(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Between two vectors, 0 to 180; 180 where one is nothing."""
    norm = float(np.hypot(*first) * np.hypot(*second))
    return float(np.degrees(np.arccos(np.clip(first @ second / norm, -1, 1)))) if norm else 180.0
