"""A rendered folder of a few small eyes."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from train.data.octa_synth import RenderRecord
from train.data.vessel_graph import VesselGraph
from train.data.voxelise import reduce_depth, render

DEPTH, SIDE, COUNT = 8, 48, 4


def make_eyes(folder: Path) -> Path:
    """Two vessels an eye, of the files that `train octa render` writes."""
    folder.mkdir()
    volumes, projections, labels = [], [], []
    for place in range(COUNT):
        random = np.random.default_rng(place)
        start, end = random.random((2, 2, 3)) * (1, 1, 0.01)
        start[:, 0], end[:, 0] = 0.0, 1.0
        eye = render(VesselGraph(start, end, np.array([0.05, 0.03])), place, depth=40, side_px=SIDE)
        volumes.append(reduce_depth(eye.volume, DEPTH))
        projections.append(eye.projections)
        labels.append(eye.label)
    for name, arrays in (("volumes", volumes), ("projections", projections), ("labels", labels)):
        np.save(folder / f"{name}.npy", np.stack(arrays))
    record = RenderRecord([f"eye{place}" for place in range(COUNT)], 0, DEPTH, 5)
    (folder / "render.json").write_text(json.dumps(asdict(record)))
    return folder
