"""Beside the points: two vessel graphs laid on each other, and the share of them that is common.

After Lajevardi, Arakala, Davis and Horadam, IEEE TIP 22(9), 2013: an edge of each graph gives a
pose. There the best of all pairs of edges is taken; here the poses that most pairs agree on are, as
a graph of a whole fundus has some hundred edges. It is measured by `evaluate` and used nowhere.
"""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.similarity import Similarity, fit
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.vessels import VesselGraph

_TOLERANCE = 0.015  # diameters between two nodes that agree
_MIN_EDGE = 0.03  # diameters: the direction of a shorter one says little
_MAX_ROTATION_RAD = np.radians(35.0)
_MAX_LOG_SCALE = np.log(1.34)
# Of the votes: radians, the logarithm of the scale, diameters.
_ROTATION_STEP, _SCALE_STEP, _SHIFT_STEP = np.radians(4.0), 0.08, 0.04
_POSES = 12


class LaidGraph:
    """A vessel graph, prepared to be compared. Cut ends are no nodes: another crop cuts elsewhere.

    Args:
        graph: in pixels of the photograph.
        fov: of the same photograph.
    """

    def __init__(self, graph: VesselGraph, fov: FieldOfView) -> None:
        kept = [number for number, one in enumerate(graph.nodes) if one.kind not in ("cut", "ring")]
        numbers = {number: place for place, number in enumerate(kept)}
        places = [
            complex(graph.nodes[one].x_px - fov.centre_x, graph.nodes[one].y_px - fov.centre_y)
            for one in kept
        ]
        self.nodes = np.array(places, np.complex64) / np.float32(2 * fov.radius)
        joined = {
            (min(ends), max(ends))
            for one in graph.edges
            if (ends := (numbers.get(one.start, -1), numbers.get(one.end, -1))) and min(ends) >= 0
        }
        self.edges = np.array(sorted(joined), np.intp).reshape(-1, 2)

    def similarity(self, reference: "LaidGraph") -> float:
        """Nodes and edges in common over the geometric mean of both graphs', at most 1."""
        if not len(self.edges) or not len(reference.edges):
            return 0.0
        common = max((self._common(reference, one) for one in self._poses(reference)), default=0)
        sizes = (len(one.nodes) + len(one.edges) for one in (self, reference))
        return float(common / np.sqrt(np.prod(list(sizes), dtype=float)))

    def _poses(self, reference: "LaidGraph") -> list[Similarity]:
        """Those that most pairs of edges agree on."""
        own, other = self._vectors(), reference._vectors()
        starts = np.concatenate([other[0], other[0] + other[1]])
        vectors = np.concatenate([other[1], -other[1]])
        factors = vectors[None, :] / own[1][:, None]
        shifts = starts[None, :] - factors * own[0][:, None]
        turn, log_scale = np.angle(factors), np.log(np.abs(factors))
        allowed = (np.abs(turn) <= _MAX_ROTATION_RAD) & (np.abs(log_scale) <= _MAX_LOG_SCALE)
        if not allowed.any():
            return []
        factors, shifts = factors[allowed], shifts[allowed]
        votes = np.stack([
            turn[allowed] / _ROTATION_STEP, log_scale[allowed] / _SCALE_STEP,
            shifts.real / _SHIFT_STEP, shifts.imag / _SHIFT_STEP,
        ]).round().astype(np.int64)  # fmt: skip
        packed = np.ravel_multi_index(tuple(np.clip(votes + 64, 0, 127)), (128,) * 4)
        _, of, counts = np.unique(packed, return_inverse=True, return_counts=True)
        found = []
        for most in np.argsort(-counts, kind="stable")[:_POSES]:
            agreeing = of == most
            found.append(Similarity(complex(factors[agreeing].mean()), shifts[agreeing].mean()))
        return found

    def _vectors(self) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Start of each edge that is long enough, and the way to its end."""
        start, end = self.nodes[self.edges[:, 0]], self.nodes[self.edges[:, 1]]
        long = np.abs(end - start) >= _MIN_EDGE
        return start[long], (end - start)[long]

    def _common(self, reference: "LaidGraph", pose: Similarity) -> int:
        own, other = self._partners(reference, pose, 2 * _TOLERANCE)
        if len(set(self.nodes[own])) >= 2:
            weights = np.ones(len(own), np.float32)
            pose = fit(self.nodes[own], reference.nodes[other], weights)
            own, other = self._partners(reference, pose, _TOLERANCE)
        partner = np.full(len(self.nodes), -1)
        partner[own] = other
        ends = np.sort(partner[self.edges], axis=1)
        there = {tuple(one) for one in reference.edges.tolist()}
        return len(own) + sum(tuple(one) in there for one in ends.tolist())

    def _partners(
        self, reference: "LaidGraph", pose: Similarity, tolerance: float
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Nodes of both that are each other's nearest, and near."""
        away = np.abs(pose.of(self.nodes)[:, None] - reference.nodes[None, :])
        there, back = away.argmin(axis=1), away.argmin(axis=0)
        own = np.flatnonzero(back[there] == np.arange(len(self.nodes)))
        own = own[away[own, there[own]] <= tolerance]
        return own, there[own]
