"""From the vessels of one capture to its template."""

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.template import (
    GRID,
    KINDS,
    LANDMARK,
    MAX_LANDMARKS,
    MAX_SAMPLES,
    SAMPLE,
    Template,
    quantised,
)
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.vessels import Edge, Field, Landmark, VesselAnalysis

STEP = 0.02  # diameters between two samples of one centre line
_AXIS_REACH = 0.008  # diameters to either side over which a sample's axis is taken
_CALIBRES = 4096  # steps of a landmark's calibre to the diameter


def extract(analysis: VesselAnalysis, fov: FieldOfView, field: Field) -> Template:
    """The template of one capture. Of more samples or landmarks than it holds, the widest vessels'
    stay: they are what another capture shows again.

    Args:
        analysis: of the capture's vessel mask.
        fov, field: of the same photograph.
    """
    sampled = [_along(edge, fov) for edge in analysis.graph.edges]
    samples = np.concatenate([records for records, _ in sampled] or [np.zeros(0, SAMPLE)])
    calibres = np.concatenate([widths for _, widths in sampled] or [np.zeros(0)])
    widest = np.sort(np.argsort(-calibres, kind="stable")[:MAX_SAMPLES])
    chosen = sorted(
        (one for one in analysis.landmarks if one.kind in KINDS), key=lambda one: -one.calibre_px
    )[:MAX_LANDMARKS]
    landmarks = np.array([_record(one, fov) for one in chosen], LANDMARK)
    return Template(1, _seen(fov, field), landmarks, samples[widest])


def _along(edge: Edge, fov: FieldOfView) -> tuple[NDArray[np.void], NDArray[np.float64]]:
    """Samples at equal steps of an edge, and the vessel's calibre in pixels at each."""
    points = (edge.points_px - (fov.centre_x, fov.centre_y)) / (2 * fov.radius)
    run = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    at = np.arange(STEP / 2, run[-1], STEP)

    def place(along: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.interp(along, run, points[:, i]) for i in (0, 1)], axis=1)

    x, y = (place(at + _AXIS_REACH) - place(at - _AXIS_REACH)).T
    records = np.zeros(len(at), SAMPLE)
    records["x"], records["y"] = quantised(place(at)).T
    records["axis"] = np.round(np.arctan2(y, x) * (256 / np.pi)).astype(int) % 256
    records["seen"] = 1
    return records, np.interp(at, run, edge.calibre_px)


def _record(landmark: Landmark, fov: FieldOfView) -> tuple[int, int, int, int, int, int]:
    place = np.array([landmark.x_px - fov.centre_x, landmark.y_px - fov.centre_y])
    x, y = quantised(place / (2 * fov.radius))
    direction = round(landmark.direction_deg * 256 / 360) % 256
    calibre = min(255, round(landmark.calibre_px * _CALIBRES / (2 * fov.radius)))
    return int(x), int(y), direction, calibre, KINDS.index(landmark.kind), 1


def _seen(fov: FieldOfView, field: Field) -> NDArray[np.bool_]:
    """(32, 32) bool: the cells of the template's grid whose centre the photograph shows."""
    height, width = field.lit.shape
    centres = (np.arange(GRID) + 0.5) * (2 / GRID) - 1
    x = np.floor(centres * 2 * fov.radius + fov.centre_x).astype(int)
    y = np.floor(centres * 2 * fov.radius + fov.centre_y).astype(int)
    rows, columns = (y >= 0) & (y < height), (x >= 0) & (x < width)
    seen = np.zeros((GRID, GRID), np.bool_)
    seen[np.ix_(rows, columns)] = field.lit[np.ix_(y[rows], x[columns])]
    return seen
