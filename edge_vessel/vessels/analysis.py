"""From a vessel mask to its graph, landmarks and biomarkers."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.biomarkers import Biomarkers, measure
from edge_vessel.vessels.field import Field
from edge_vessel.vessels.graph import VesselGraph, vessel_graph
from edge_vessel.vessels.landmarks import Landmark, find_landmarks


@dataclass(frozen=True)
class VesselAnalysis:
    """What the vessels of one photograph are, and how long finding that took."""

    graph: VesselGraph
    landmarks: tuple[Landmark, ...]
    biomarkers: Biomarkers
    analysis_ms: float


def analyse(mask: NDArray[np.bool_], field: Field) -> VesselAnalysis:
    """Graph, landmarks and biomarkers of a vessel mask.

    Args:
        mask: (H, W) bool, any size; empty gives an empty graph.
        field: of the same size.
    """
    started = time.perf_counter()
    graph = vessel_graph(mask, field)
    landmarks = find_landmarks(graph)
    biomarkers = measure(mask, field, graph, landmarks)
    return VesselAnalysis(graph, landmarks, biomarkers, 1e3 * (time.perf_counter() - started))
