"""Bifurcations, crossings and endings: what a matcher goes by."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.draft import direction
from edge_vessel.vessels.graph import Edge, Node, VesselGraph

LandmarkKind = Literal["bifurcation", "crossing", "ending"]

_SKIP = 0.75  # calibres of the widest branch: the junction's own disc, and a little more
_REACH = 3.0  # calibres of a branch over which its direction is taken
_MIN_REACH_PX = 6.0
_CLEARLY_WIDER = 1.25  # the parent's calibre over the next one's
_CLEARLY_OPEN_DEG = 15.0  # how much smaller the children's angle is than the next one


@dataclass(frozen=True)
class Branch:
    """A vessel at a landmark; `direction_deg` is where it leads from there."""

    direction_deg: float
    calibre_px: float
    edge: int


@dataclass(frozen=True)
class Landmark:
    """A place on the vessels, in pixels of the photograph (centres at half-integers).

    Directions are in degrees in [0, 360) from the picture's x axis towards its y axis, which points
    down: 90 is down.

    direction_deg: of a bifurcation, where the blood vessel's trunk comes from (its parent branch
    leads there); of an ending, where the vessel comes from; of a crossing, of its wider vessel, in
    [0, 180).
    branches: of a bifurcation the parent first, then the others by direction; of a crossing by
    direction, so that 0 and 2, 1 and 3 are one vessel each; of an ending its one.
    angle_deg: of a bifurcation, between its two children (the widest two where there are more); of
    a crossing, the acute one between the two vessels; None of an ending.
    calibre_px: of a bifurcation its parent's; of a crossing the mean of its branches; of an ending
    its own.
    node: index of `VesselGraph.nodes`.
    """

    kind: LandmarkKind
    x_px: float
    y_px: float
    direction_deg: float
    angle_deg: float | None
    calibre_px: float
    branches: tuple[Branch, ...]
    node: int


def find_landmarks(graph: VesselGraph) -> tuple[Landmark, ...]:
    """The landmarks of a graph in the order of its nodes; cut ends and rings are none."""
    found = []
    for index, node in enumerate(graph.nodes):
        branches = _branches(graph, index)
        if node.kind == "bifurcation":
            found.append(_bifurcation(index, node, branches))
        elif node.kind == "crossing":
            found.append(_crossing(index, node, branches))
        elif node.kind == "ending":
            (only,) = branches
            found.append(_landmark("ending", index, node, (only,), only.direction_deg, None))
    return tuple(found)


def _branches(graph: VesselGraph, index: int) -> list[Branch]:
    """By direction."""
    lines: list[tuple[int, Edge, NDArray[np.float64]]] = []
    for place, number in enumerate(graph.nodes[index].edges):
        edge = graph.edges[number]
        twice = number in graph.nodes[index].edges[:place]
        lines.append((number, edge, edge.points_px[::-1] if twice else edge.leaving(index)))
    widest = max((edge.mean_calibre_px for _, edge, _ in lines), default=0.0)
    skip = 0.0 if len(lines) < 2 else _SKIP * widest
    found = []
    for number, edge, points in lines:
        calibre = edge.mean_calibre_px
        x, y = direction(points, skip, max(_REACH * calibre, _MIN_REACH_PX))
        found.append(Branch(float(np.degrees(np.arctan2(y, x))) % 360, calibre, number))
    return sorted(found, key=lambda branch: branch.direction_deg)


def _bifurcation(index: int, node: Node, branches: list[Branch]) -> Landmark:
    """The parent is the branch opposite the smallest angle, as blood flows on; where two angles are
    nearly alike, the widest, if it clearly is."""
    by_calibre = sorted(branches, key=lambda branch: -branch.calibre_px)
    parent = by_calibre[0]
    if len(branches) == 3:
        opposite = sorted(
            (angle_between(*_others(branches, one)), i) for i, one in enumerate(branches)
        )
        clear = opposite[1][0] - opposite[0][0] >= _CLEARLY_OPEN_DEG
        wide = by_calibre[0].calibre_px >= _CLEARLY_WIDER * by_calibre[1].calibre_px
        if clear or not wide:
            parent = branches[opposite[0][1]]
    children = [branch for branch in branches if branch is not parent]
    widest = sorted(children, key=lambda branch: -branch.calibre_px)[:2]
    angle = angle_between(widest[0], widest[1])
    return _landmark("bifurcation", index, node, (parent, *children), parent.direction_deg, angle)


def _crossing(index: int, node: Node, branches: list[Branch]) -> Landmark:
    vessels = ((branches[0], branches[2]), (branches[1], branches[3]))
    wider = max(vessels, key=lambda pair: pair[0].calibre_px + pair[1].calibre_px)
    headings = [_axis_deg(*pair) for pair in vessels]
    apart = abs(headings[0] - headings[1])
    return _landmark(
        "crossing", index, node, tuple(branches), _axis_deg(*wider), min(apart, 180 - apart)
    )


def _landmark(
    kind: LandmarkKind,
    index: int,
    node: Node,
    branches: tuple[Branch, ...],
    direction_deg: float,
    angle_deg: float | None,
) -> Landmark:
    calibres = [branch.calibre_px for branch in branches]
    calibre = float(np.mean(calibres)) if kind == "crossing" else calibres[0]
    return Landmark(kind, node.x_px, node.y_px, direction_deg, angle_deg, calibre, branches, index)


def _others(branches: list[Branch], one: Branch) -> list[Branch]:
    return [branch for branch in branches if branch is not one]


def angle_between(first: Branch, second: Branch) -> float:
    """In degrees, 0 to 180."""
    apart = abs(first.direction_deg - second.direction_deg) % 360
    return min(apart, 360 - apart)


def _axis_deg(first: Branch, second: Branch) -> float:
    """The direction of a vessel with these two sides, in [0, 180)."""
    towards = np.radians([first.direction_deg, second.direction_deg + 180])
    return float(np.degrees(np.arctan2(np.sin(towards).sum(), np.cos(towards).sum()))) % 180
