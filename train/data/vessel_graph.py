"""Vessel graphs of synthetic OCTA: straight pieces, each with a radius.

Source of those in `OCTA_SYNTH`: Kreitner et al., "Synthetic optical coherence tomography
angiographs for detailed retinal vessel segmentation without human annotations", IEEE TMI 43(6),
2024.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError


@dataclass(frozen=True)
class VesselGraph:
    """Pieces of vessels in a unit cube; (x, y) is (row, column) of the en-face plane, z the depth.

    Attributes:
        start, end: (N, 3) float64.
        radius: (N,) float64, in sides of the cube.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: NDArray[np.float64]

    def along(self, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points at most `step` apart on every piece, both ends among them: (M, 3), and (M,)
        radii."""
        length = np.linalg.norm(self.end - self.start, axis=1)
        count = np.ceil(length / step).astype(np.int64) + 1
        piece = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
        share = (place / np.maximum(1, count[piece] - 1))[:, None]
        points = self.start[piece] * (1.0 - share) + self.end[piece] * share
        return points, self.radius[piece]


def read_graph(path: Path) -> VesselGraph:
    """Reads `node1,node2,radius` lines, nodes as `[x y z]`, gzipped.

    Raises:
        UsageError: the file is missing, damaged, or has other columns.
    """
    try:
        with gzip.open(path, "rt", newline="") as file:
            rows = [
                [*_node(line["node1"]), *_node(line["node2"]), float(line["radius"])]
                for line in csv.DictReader(file)
            ]
        table = np.array(rows, np.float64).reshape(-1, 7)
    except (OSError, EOFError, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path}: no vessel graph of node1, node2, radius: {error}") from error
    if not len(table) or not np.isfinite(table).all() or (table[:, 6] <= 0).any():
        raise UsageError(f"{path}: no vessel graph: empty, or a radius that is no length")
    return VesselGraph(table[:, :3], table[:, 3:6], table[:, 6])


def _node(text: str) -> list[float]:
    return [float(one) for one in text.strip("[] ").split()]
