"""The 60 synthetic eyes of `OCTA_SYNTH` as volumes, rendered once and read from disk as needed.

A rendered folder holds `volumes.npy` (N, 2, depth, 304, 304) uint8 OCT and OCTA, `projections.npy`
(N, 3, 304, 304) uint8, `labels.npy` (N, 304, 304) bool and `render.json`.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.atomic import write_file
from edge_vessel.errors import DeviceError, UsageError
from train.data.dataset import read_mask
from train.data.vessel_graph import read_graph
from train.data.voxelise import (
    DEPTH,
    SIDE_PX,
    Appearance,
    draw_label,
    reduce_depth,
    render,
)
from train.histogram import confusion

FOLDER = "OCTA_SYNTH"
_RECORD = "render.json"


@dataclass(frozen=True)
class RenderRecord:
    """How a folder was rendered.

    Attributes:
        ids: of the eyes, in the order of the arrays.
        seed: of the whole folder; an eye's is a thousand times that and its place.
        depth: voxels along the beam; each the mean of `averaged` ones.
    """

    ids: list[str]
    seed: int
    depth: int
    averaged: int
    appearance: Appearance = field(default_factory=Appearance)


@dataclass(frozen=True)
class Eyes:
    """A rendered folder, its arrays mapped, not read."""

    record: RenderRecord
    volumes: NDArray[np.uint8]
    projections: NDArray[np.uint8]
    labels: NDArray[np.bool_]


def graphs(root: Path) -> list[Path]:
    """The graphs below `root`, by name.

    Raises:
        UsageError: there are none.
    """
    folder = root / FOLDER / "vessel_graphs"
    found = sorted(folder.glob("*.csv.gz"))
    if not found:
        raise UsageError(
            f"{folder}: no vessel graphs (*.csv.gz); unpack the synthetic data set of Kreitner et "
            f"al. 2024 as {FOLDER}/vessel_graphs and {FOLDER}/labels"
        )
    return found


def identity(graph: Path) -> str:
    """The eye's name of a graph's file."""
    return graph.name.removesuffix(".csv.gz")


@dataclass(frozen=True)
class _Eye:
    """What is kept of a rendering: a process hands it to another."""

    volume: NDArray[np.uint8]
    projections: NDArray[np.uint8]
    label: NDArray[np.bool_]


def _render(depth: int, seed: int, appearance: Appearance, item: tuple[int, Path]) -> _Eye:
    place, path = item
    eye = render(read_graph(path), seed * 1000 + place, appearance)
    return _Eye(reduce_depth(eye.volume, depth), eye.projections, eye.label)


def render_all(
    paths: list[Path], output: Path, record: RenderRecord, processes: int = 1
) -> Iterator[str]:
    """Renders eye by eye and names each; the record is written last, so that a folder without one
    is half done.

    Raises:
        UsageError: the folder holds a rendering already, or the depth does not divide 160.
        DeviceError: the disk is full, or the folder cannot be made.
    """
    if (output / _RECORD).exists():
        raise UsageError(f"{output}: holds a rendering already; name another folder")
    if record.depth < 1 or DEPTH % record.depth:
        raise UsageError(f"--depth {record.depth}: a divisor of {DEPTH}, such as 32")
    plane = (SIDE_PX, SIDE_PX)
    count = len(paths)
    try:
        output.mkdir(parents=True, exist_ok=True)
        volumes = _create(output / "volumes.npy", np.uint8, (count, 2, record.depth, *plane))
        projections = _create(output / "projections.npy", np.uint8, (count, 3, *plane))
        labels = _create(output / "labels.npy", np.bool_, (count, *plane))
    except OSError as error:
        raise DeviceError(f"{output}: cannot be written: {error.strerror}") from error
    make = partial(_render, record.depth, record.seed, record.appearance)
    with ProcessPoolExecutor(processes) as pool:
        for place, found in enumerate(pool.map(make, enumerate(paths))):
            volumes[place], labels[place] = found.volume, found.label
            projections[place] = found.projections
            yield identity(paths[place])
    for array in (volumes, projections, labels):
        array.flush()
    write_file(output / _RECORD, (json.dumps(asdict(record), indent=1) + "\n").encode())


def _create(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Mapped, its blocks reserved: what a full disk cannot take of a map ends the process."""
    array: NDArray[np.generic] = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def read_eyes(folder: Path) -> Eyes:
    """Maps a rendered folder.

    Raises:
        UsageError: it is none, or half done.
    """
    path = folder / _RECORD
    try:
        content = json.loads(path.read_text())
        content["appearance"] = Appearance(**content["appearance"])
        arrays = [
            np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in ("volumes", "projections", "labels")
        ]
        eyes = Eyes(RenderRecord(**content), *arrays)
        lengths = [len(one) for one in (eyes.record.ids, *arrays)]
        if len(set(lengths)) > 1 or [one.ndim for one in arrays] != [5, 4, 3]:
            raise ValueError(f"of its {lengths[0]} eyes it has {lengths[1:]}")
        return eyes
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder}: no rendered eyes ({error}); make them with `python -m train octa render`"
        ) from error


def label_dice(root: Path, graph: Path, side_px: int) -> float:
    """Dice of a graph's rendered label and the data set's image of it, 1216 px or reduced to
    `side_px` by area.

    Raises:
        UsageError: the image is missing or damaged.
    """
    image = read_mask(root / FOLDER / "labels" / f"{identity(graph)}.png")
    if image.shape != (side_px, side_px):
        share = cv2.resize(
            image.astype(np.float32), (side_px, side_px), interpolation=cv2.INTER_AREA
        )
        image = np.asarray(share > 0.5, np.bool_)
    return confusion(draw_label(read_graph(graph), side_px), image).dice
