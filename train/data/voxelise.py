"""Vessel graphs as volumes: OCTA, and the OCT of the tissue around the vessels.

Synthetic: what a network reaches on them says how it compares with others on them, and nothing of a
patient. The axis of rows is the scanner's slow one. Depth is stretched: the graphs' vessels lie
within 40 um, here within the inner retina.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from train.data.vessel_graph import VesselGraph

Volume = NDArray[np.float32]

SIDE_PX = 304
DEPTH = 160
_FIELD_UM, _RANGE_UM = 3000.0, 2000.0  # of a 3 mm scan: across, along the beam
_SURFACE_UM = 500.0  # where the retina begins, on average
_VESSELS_UM = (15.0, 135.0)  # below the surface
_INNER_UM, _OUTER_UM = (0.0, 165.0), (165.0, 290.0)  # ILM to OPL, OPL to Bruch's membrane
_CHOROID_UM = (290.0, 500.0)
_GAINS = (8.0, 1.0, 2.0)  # of the projections: a mean over depth is dark
# Reflectivity from each depth below the surface on, um: vitreous, nerve fibres, ganglion cells and
# inner plexus, inner nuclei, outer plexus, outer nuclei, photoreceptors and pigment, choroid and
# sclera.
_LAYERS = (
    (-np.inf, 0.02),
    (0.0, 0.75),
    (30.0, 0.5),
    (100.0, 0.3),
    (140.0, 0.5),
    (165.0, 0.15),
    (250.0, 1.0),
    (290.0, 0.5),
    (500.0, 0.2),
)


@dataclass(frozen=True)
class Appearance:
    """What a scanner adds to vessels, each of which can be left out.

    Attributes:
        speckle: multiplicative noise of coherent light, and noise of the flow signal.
        layers: tissue reflects by its layer; without them evenly.
        tails: projection artefacts: what lies below a vessel flickers with it and lies in its
            shadow.
        stripes: single B-scans that the eye's movement brightens.
        choroid: flow below the retina, which no label holds.
    """

    speckle: bool = True
    layers: bool = True
    tails: bool = True
    stripes: bool = True
    choroid: bool = True


@dataclass(frozen=True)
class Rendered:
    """One eye.

    Attributes:
        oct, octa: (depth, side, side) float32 in [0, 1].
        below_um: (depth, side, side) float32, how far each voxel lies below the retina's surface.
        label: (side, side) bool, the vessels from above.
    """

    oct: Volume
    octa: Volume
    below_um: Volume
    label: NDArray[np.bool_]

    @cached_property
    def volume(self) -> NDArray[np.uint8]:
        """(2, depth, side, side) uint8: OCT, OCTA."""
        return np.stack([_bytes(self.oct), _bytes(self.octa)])

    @cached_property
    def projections(self) -> NDArray[np.uint8]:
        """(3, side, side) uint8, as of OCTA-500: OCTA's mean over the whole depth, its maximum from
        ILM to OPL and from OPL to Bruch's membrane. The layers are known here, not segmented."""
        maps = [self.octa.mean(axis=0)]
        for low, high in (_INNER_UM, _OUTER_UM):
            inside = (self.below_um >= low) & (self.below_um < high)
            maps.append(np.where(inside, self.octa, 0.0).max(axis=0))
        return np.stack(
            [_bytes(np.minimum(1.0, one * gain)) for one, gain in zip(maps, _GAINS, strict=True)]
        )


def draw_label(graph: VesselGraph, side_px: int = SIDE_PX) -> NDArray[np.bool_]:
    """(side_px, side_px) bool: pixels whose centre a vessel covers, seen from above."""
    points, radius = graph.along(0.5 / side_px)
    covered = _covered((side_px, side_px), points[:, :2] * side_px - 0.5, radius * side_px)
    return np.asarray(covered >= 0.5, np.bool_)


def render(
    graph: VesselGraph,
    seed: int,
    appearance: Appearance = Appearance(),
    depth: int = DEPTH,
    side_px: int = SIDE_PX,
) -> Rendered:
    """The same for the same arguments."""
    random = np.random.default_rng(seed)
    um = _RANGE_UM / depth
    surface = _SURFACE_UM + _undulation(random, side_px)
    below = np.asarray(((np.arange(depth) + 0.5) * um)[:, None, None] - surface, np.float32)
    vessels = _vessels(graph, surface, depth, side_px)
    reflectivity = _reflectivity(below) if appearance.layers else np.full_like(below, 0.4)
    tail = _tails(vessels, um) if appearance.tails else np.zeros_like(vessels)
    tissue = reflectivity * (1.0 + 0.5 * vessels) * (1.0 - 0.4 * tail)
    # What does not move flickers a little, the more the brighter it is.
    flow = np.maximum(vessels, 0.8 * tail * reflectivity) + 0.12 * reflectivity
    if appearance.choroid:
        inside = (below >= _CHOROID_UM[0]) & (below < _CHOROID_UM[1])
        flow += 0.5 * inside * _blotches(random, side_px)
    if appearance.stripes:
        rows = random.random(side_px) < 0.04
        strength = rows * random.uniform(0.1, 0.4, side_px)
        flow += reflectivity * strength[None, :, None]
    if appearance.speckle:
        tissue *= _speckle(random, tissue.shape, 2.0)
        flow *= _speckle(random, flow.shape, 3.0)
        flow += np.float32(0.03) * random.standard_normal(flow.shape, np.float32)
    return Rendered(
        np.asarray(np.clip(0.5 * tissue, 0.0, 1.0) ** 0.5, np.float32),
        np.asarray(np.clip(0.5 * flow, 0.0, 1.0), np.float32),
        below,
        draw_label(graph, side_px),
    )


def reduce_depth(volume: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    """(C, D, H, W) to (C, depth, H, W), each voxel the mean of its like.

    Raises:
        UsageError: D is no multiple of the depth.
    """
    channels, full, height, width = volume.shape
    if depth < 1 or full % depth:
        raise UsageError(f"depth {depth}: a divisor of {full}, such as {full // 5}")
    groups = volume.reshape(channels, depth, full // depth, height, width)
    return np.asarray(np.rint(groups.mean(axis=2, dtype=np.float32)), np.uint8)


def _vessels(graph: VesselGraph, surface: Volume, depth: int, side_px: int) -> Volume:
    points, radius = graph.along(0.5 / side_px)
    plane = points[:, :2] * side_px - 0.5
    inside = ((plane >= -0.5) & (plane < side_px - 0.5)).all(axis=1)
    points, plane, radius = points[inside], plane[inside], radius[inside]
    highest = float(graph.end[:, 2].max())
    low, high = _VESSELS_UM
    share = np.clip(points[:, 2] / max(highest, 1e-9), 0.0, 1.0)
    row, column = np.rint(plane).astype(np.int64).T
    at_um = surface[row, column] + low + (high - low) * share
    z = at_um * depth / _RANGE_UM - 0.5
    # Distances are in pixels of the plane: voxels are longer or shorter along the beam.
    tall = (_RANGE_UM / depth) / (_FIELD_UM / side_px)
    centres = np.column_stack([z, plane])
    scale = (tall, 1.0, 1.0)
    return _covered((depth, side_px, side_px), centres, radius * side_px, scale)


def _covered(
    shape: tuple[int, ...],
    centres: NDArray[np.float64],
    radius: NDArray[np.float64],
    scale: tuple[float, ...] = (1.0, 1.0),
) -> Volume:
    """How much of each cell the balls cover, in [0, 1], by the distance of its centre.

    Args:
        centres: (M, dimensions), cell centres at whole numbers.
        radius: (M,), of the balls, in units of `scale`.
        scale: how long a cell is along each dimension.
    """
    found = np.zeros(int(np.prod(shape)), np.float32)
    sizes = np.ceil(radius + 0.5).astype(np.int64)
    strides = np.array([int(np.prod(shape[i + 1 :])) for i in range(len(shape))])
    for size in np.unique(sizes):
        chosen = sizes == size
        nearest = np.rint(centres[chosen]).astype(np.int64)
        away = (nearest - centres[chosen]) * scale
        reach = [np.arange(-int(n), int(n) + 1) for n in np.ceil(size / np.array(scale))]
        for offset in np.stack(np.meshgrid(*reach, indexing="ij"), -1).reshape(-1, len(shape)):
            cell = nearest + offset
            distance = np.linalg.norm(away + offset * scale, axis=1)
            covered = np.clip(radius[chosen] + 0.5 - distance, 0.0, 1.0)
            use = (covered > 0) & ((cell >= 0) & (cell < shape)).all(axis=1)
            np.maximum.at(found, cell[use] @ strides, covered[use].astype(np.float32))
    return found.reshape(shape)


def _undulation(random: np.random.Generator, side_px: int) -> Volume:
    """A tilt and two slow waves, um."""
    row, column = np.mgrid[0:side_px, 0:side_px] / side_px - 0.5
    tilt = random.uniform(-120, 120) * row + random.uniform(-120, 120) * column
    turns, phase = random.uniform(0.3, 1.2, (2, 2)), random.uniform(0, 2 * np.pi, 2)
    waves = [
        25.0 * np.sin(2 * np.pi * (turn[0] * row + turn[1] * column) + start)
        for turn, start in zip(turns, phase, strict=True)
    ]
    return np.asarray(tilt + sum(waves), np.float32)


def _reflectivity(below: Volume) -> Volume:
    starts, values = (np.array(one) for one in zip(*_LAYERS, strict=True))
    found = values[np.searchsorted(starts, below, side="right") - 1]
    return np.asarray(found, np.float32)


def _tails(vessels: Volume, um: float) -> Volume:
    """What each voxel has of the vessels above it: a tenth of it is lost every 25 um."""
    tail = np.zeros_like(vessels)
    keep = np.float32(0.9 ** (um / 25.0))
    for depth in range(1, len(vessels)):
        tail[depth] = np.maximum(tail[depth - 1] * keep, vessels[depth - 1])
    return tail


def _blotches(random: np.random.Generator, side_px: int) -> Volume:
    """The choroid's lobules: noise of about 12 px, in [0, 1]."""
    coarse = random.random((side_px // 12 + 2,) * 2)
    row, column = np.mgrid[0:side_px, 0:side_px] / 12.0
    r, c = row.astype(int), column.astype(int)
    dr, dc = row - r, column - c
    top = coarse[r, c] * (1 - dc) + coarse[r, c + 1] * dc
    bottom = coarse[r + 1, c] * (1 - dc) + coarse[r + 1, c + 1] * dc
    return np.asarray(top * (1 - dr) + bottom * dr, np.float32)


def _speckle(random: np.random.Generator, shape: tuple[int, ...], looks: float) -> Volume:
    """Gamma noise of mean 1, as `looks` averaged intensities of coherent light have it."""
    return np.asarray(random.standard_gamma(looks, shape, np.float32) / np.float32(looks))


def _bytes(values: Volume) -> NDArray[np.uint8]:
    return np.asarray(np.rint(values * 255.0), np.uint8)
