"""The vessels of one eye as nodes and edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.crossings import join_crossings
from edge_vessel.vessels.draft import Chain, Draft
from edge_vessel.vessels.field import Field
from edge_vessel.vessels.pruning import prune
from edge_vessel.vessels.skeleton import skeletonise, without_specks
from edge_vessel.vessels.tracing import trace

NodeKind = Literal["bifurcation", "crossing", "ending", "cut", "ring"]

_SMOOTH_PX = 2.0  # sigma along the centre line: takes the steps of the pixels, keeps the bends
_CALIBRE_WINDOW = 11  # points over which area and length are taken
_CUT_CALIBRES = 1.0  # how near the border an end is the border's doing
_CUT_DIAMETERS = 0.01  # the same, in diameters of the field of view: maps fade towards the rim


@dataclass(frozen=True)
class Node:
    """A place where vessels meet or end, in pixels of the photograph (centres at half-integers).

    kind: "bifurcation", three branches or more; "crossing", four that are two vessels; "ending";
    "cut", where the field of view or the frame ends and the vessel does not; "ring", a place on a
    closed line that touches nothing else.
    edges: indices of `VesselGraph.edges`; a ring's stands there twice.
    """

    kind: NodeKind
    x_px: float
    y_px: float
    edges: tuple[int, ...]


@dataclass(frozen=True)
class Edge:
    """A vessel between two nodes.

    start, end: indices of `VesselGraph.nodes`.
    points_px: (N, 2) float64, the centre line's x and y from start to end, N >= 2.
    calibre_px: (N,) float64, the width of the vessel at each point: the vessel's area over its
    length, within five points to either side.
    """

    start: int
    end: int
    points_px: NDArray[np.float64]
    calibre_px: NDArray[np.float64]

    @cached_property
    def length_px(self) -> float:
        """Along the centre line."""
        return float(np.hypot(*np.diff(self.points_px, axis=0).T).sum())

    @cached_property
    def mean_calibre_px(self) -> float:
        """The median along the line, which the junctions at its ends do not move."""
        return float(np.median(self.calibre_px))

    def leaving(self, node: int) -> NDArray[np.float64]:
        """`points_px`, turned so that they start at `node`."""
        return self.points_px if self.start == node else self.points_px[::-1]


@dataclass(frozen=True)
class VesselGraph:
    """All vessels of a mask; `Node.edges`, `Edge.start` and `Edge.end` count from 0."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def vessel_graph(mask: NDArray[np.bool_], field: Field) -> VesselGraph:
    """The graph of a vessel mask.

    Pinholes are filled, dots left out, the mask is thinned, spurs shorter than the vessel is wide
    are taken off, gaps of up to five calibres between ends that face each other are bridged, specks
    left out, and two bifurcations that are one crossing made one.

    Args:
        mask: (H, W) bool, any size; it may be empty.
        field: of the same size.
    """
    vessels = without_specks(mask)
    draft = trace(vessels, skeletonise(vessels))
    prune(draft)
    join_crossings(draft)
    return _graph(draft, field)


def _graph(draft: Draft, field: Field) -> VesselGraph:
    node_index = {node: index for index, node in enumerate(draft.position)}
    edge_index = {number: index for index, number in enumerate(draft.chains)}
    edges = tuple(
        _edge(chain, node_index[chain.start], node_index[chain.end])
        for chain in draft.chains.values()
    )
    room_px = field.room_px()
    margin_px = _CUT_DIAMETERS * field.diameter_px
    nodes = []
    for node, (x, y) in draft.position.items():
        own = tuple(edge_index[number] for number in draft.at(node))
        room = float(room_px[int(y), int(x)]) - margin_px
        kind = _kind(draft, node, [edges[index] for index in own], room)
        nodes.append(Node(kind, float(x), float(y), own))
    return VesselGraph(tuple(nodes), edges)


def _kind(draft: Draft, node: int, edges: Sequence[Edge], room_px: float) -> NodeKind:
    if node in draft.crossings:
        return "crossing"
    if len(edges) > 2:
        return "bifurcation"
    if len(edges) == 2:
        return "ring"
    return "cut" if room_px <= _CUT_CALIBRES * edges[0].mean_calibre_px else "ending"


def _edge(chain: Chain, start: int, end: int) -> Edge:
    points = _smooth(chain.points)
    known = np.isfinite(chain.area)
    steps = np.hypot(*np.diff(points, axis=0).T)
    # What belongs to a point is half the way to either neighbour.
    share = (np.concatenate([[0.0], steps]) + np.concatenate([steps, [0.0]])) / 2
    window = np.ones(_CALIBRE_WINDOW)
    area = _windowed(np.where(known, chain.area, 0.0), window)
    length = _windowed(np.where(known, share, 0.0), window)
    measured = length > 0
    if not measured.any():
        return Edge(start, end, points, np.full(len(points), chain.calibre))
    place = np.arange(len(points))
    calibre = np.interp(place, place[measured], area[measured] / length[measured])
    return Edge(start, end, points, calibre)


def _windowed(values: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the window around each value; (N,) for (N,) also where the window is longer."""
    half = len(window) // 2
    return np.convolve(np.pad(values, half), window, mode="valid")


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian along the line; its ends stay where they are."""
    reach = min(len(points) - 1, int(4 * _SMOOTH_PX))
    kernel = np.asarray(cv2.getGaussianKernel(2 * reach + 1, _SMOOTH_PX), np.float64)[:, 0]
    padded = np.pad(points, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in (0, 1)], axis=1)
