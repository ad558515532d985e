"""Figures that ophthalmology reads off the vessels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.vessels.field import Field
from edge_vessel.vessels.fractal import box_counting_dimension
from edge_vessel.vessels.graph import Edge, VesselGraph
from edge_vessel.vessels.landmarks import Landmark
from edge_vessel.vessels.tortuosity import distance_measure, inflection_count_metric

_MIN_LENGTH = 5.0  # calibres: the winding of a shorter piece is the junctions' and the pixels'
_STEP = 0.015  # diameters of the field of view: bends shorter than this are no inflections


@dataclass(frozen=True)
class Biomarkers:
    """One eye's. None is what the vessels do not show. Pixels are the photograph's; `_fov` counts
    in diameters of the field of view. Nothing is in micrometres: a photograph does not say its
    scale.

    vessel_density: share of the field's lit pixels that are vessel, 0 to 1.
    vessel_length_px, vessel_length_fov: of all centre lines.
    mean_calibre_px, mean_calibre_fov: width, weighted by length.
    tortuosity_distance: Bullitt et al. 2003, distance metric, at least 1; of the pieces between
        landmarks of five calibres or more, weighted by their length.
    tortuosity_inflection: the same paper's inflection count metric, of the same pieces.
    fractal_dimension: of the centre lines, by box counting.
    branching_angle_deg: median of the angles between the two children of a bifurcation.
    bifurcations, crossings, endings: counts; where the field of view cuts a vessel is no ending.
    """

    vessel_density: float
    vessel_length_px: float
    vessel_length_fov: float
    mean_calibre_px: float | None
    mean_calibre_fov: float | None
    tortuosity_distance: float | None
    tortuosity_inflection: float | None
    fractal_dimension: float | None
    branching_angle_deg: float | None
    bifurcations: int
    crossings: int
    endings: int


def measure(
    mask: NDArray[np.bool_],
    field: Field,
    graph: VesselGraph,
    landmarks: Sequence[Landmark],
) -> Biomarkers:
    """The biomarkers of a vessel mask, whose graph and landmarks these are.

    Args:
        mask: (H, W) bool.
        field: of the same size.
    """
    diameter = field.diameter_px
    lengths = [edge.length_px for edge in graph.edges]
    length = sum(lengths)
    calibre = _weighted((edge.mean_calibre_px for edge in graph.edges), lengths)
    pieces = [one for one in graph.edges if one.length_px >= _MIN_LENGTH * one.mean_calibre_px]
    angles = [
        one.angle_deg
        for one in landmarks
        if one.kind == "bifurcation" and one.angle_deg is not None
    ]
    kinds = [landmark.kind for landmark in landmarks]
    return Biomarkers(
        vessel_density=_share(mask, field.lit),
        vessel_length_px=length,
        vessel_length_fov=length / diameter,
        mean_calibre_px=calibre,
        mean_calibre_fov=None if calibre is None else calibre / diameter,
        tortuosity_distance=_of_pieces(pieces, [distance_measure(e.points_px) for e in pieces]),
        tortuosity_inflection=_of_pieces(
            pieces, [inflection_count_metric(e.points_px, _STEP * diameter) for e in pieces]
        ),
        fractal_dimension=box_counting_dimension(_drawn(graph, mask.shape), diameter),
        branching_angle_deg=float(np.median(angles)) if angles else None,
        bifurcations=kinds.count("bifurcation"),
        crossings=kinds.count("crossing"),
        endings=kinds.count("ending"),
    )


def _share(mask: NDArray[np.bool_], lit: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(mask & lit)) / max(1, int(np.count_nonzero(lit)))


def _of_pieces(pieces: Sequence[Edge], values: Sequence[float | None]) -> float | None:
    known = [
        (value, piece.length_px)
        for piece, value in zip(pieces, values, strict=True)
        if value is not None
    ]
    return _weighted((value for value, _ in known), [length for _, length in known])


def _weighted(values: Iterable[float], weights: Sequence[float]) -> float | None:
    total = sum(weights)
    if not total:
        return None
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total


def _drawn(graph: VesselGraph, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The centre lines as pixels, (H, W) bool."""
    picture = np.zeros(shape, np.bool_)
    for edge in graph.edges:
        columns, rows = np.floor(edge.points_px).astype(int).T
        picture[rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1)] = True
    return picture
