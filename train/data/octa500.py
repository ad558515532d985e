"""OCTA-500 as it is distributed: 300 eyes of 6 mm (`OCTA_6M`), 200 of 3 mm (`OCTA_3M`).

Source: Li et al., "OCTA-500: A retinal dataset for optical coherence tomography angiography study",
Medical Image Analysis 93, 2024. Per eye a folder of B-scans, depth x columns, numbered from 1:

    OCTA_6M/OCT/10001/1.bmp ...     OCTA_6M/OCTA/10001/1.bmp ...
    OCTA_6M/ProjectionMaps/OCTA(FULL)/10001.bmp, OCTA(ILM_OPL), OCTA(OPL_BM)
    OCTA_6M/GT_LargeVessel/10001.bmp and the other labels, there or in OCTA_6M/Label

Labels and projection maps lie otherwise than the volumes: `find_symmetry` says how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.octa.stacks import ScanFolder
from edge_vessel.sources.images import read_image
from train.data.dataset import read_mask

NAME = "octa500"
COUNTS = {"OCTA_6M": 300, "OCTA_3M": 200}
PROJECTIONS = ("OCTA(FULL)", "OCTA(ILM_OPL)", "OCTA(OPL_BM)")
HOW_TO_GET = (
    "register for OCTA-500 on IEEE DataPort (or with its authors), download it and unpack it as "
    "OCTA_6M/{OCT,OCTA}/ID/N.bmp, OCTA_6M/ProjectionMaps/NAME/ID.bmp, OCTA_6M/GT_LargeVessel/ID.bmp"
    " (3 mm: OCTA_3M)"
)
_SYMMETRIES = 8
_LOOKED_AT = 3  # eyes that `problems` reads whole
_CLEAR = 0.05  # how much better than the next symmetry the best one correlates


@dataclass(frozen=True)
class OctaRecord:
    """The files of one eye."""

    id: str
    oct: Path
    octa: Path
    projections: tuple[Path, ...]
    label: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.oct, self.octa, *self.projections, self.label)


def records(root: Path, part: str = "OCTA_6M", label: str = "GT_LargeVessel") -> list[OctaRecord]:
    """The eyes below `root`, by number; opens none.

    Raises:
        UsageError: the part is unknown, or its folder missing or empty.
    """
    if part not in COUNTS:
        raise UsageError(f"{NAME}: unknown part {part!r}; known: {', '.join(COUNTS)}")
    base = root / part
    names = sorted(one.name for one in (base / "OCTA").glob("*") if one.is_dir())
    if not names:
        raise UsageError(f"{base}: no eyes in OCTA/; {HOW_TO_GET}")
    labels = base / label if (base / label).is_dir() else base / "Label" / label
    maps = base / "ProjectionMaps"
    return [
        OctaRecord(
            name,
            base / "OCT" / name,
            base / "OCTA" / name,
            tuple(maps / one / f"{name}.bmp" for one in PROJECTIONS),
            labels / f"{name}.bmp",
        )
        for name in names
    ]


def read_volume(record: OctaRecord) -> NDArray[np.uint8]:
    """(2, depth, B-scans, columns) uint8, OCT and OCTA.

    Raises:
        UsageError: a folder or a B-scan is missing, one is damaged, or they differ in size.
    """
    stacks = [ScanFolder(one) for one in (record.oct, record.octa)]
    both = [stack.scans(0, stack.height) for stack in stacks]
    if both[0].shape != both[1].shape:
        raise UsageError(f"{record.oct}: {both[0].shape}, but its OCTA is {both[1].shape}")
    return np.asarray(both, np.uint8)


def read_projections(record: OctaRecord) -> NDArray[np.uint8]:
    """(3, H, W) uint8, by `PROJECTIONS`, as they lie in the files.

    Raises:
        UsageError: a file is missing, damaged or of another size.
    """
    maps = [read_image(one)[..., 0] for one in record.projections]
    if len({one.shape for one in maps}) > 1:
        raise UsageError(f"{record.projections[0]}: the projections of {record.id} differ in size")
    return np.stack(maps)


def read_label(record: OctaRecord, symmetry: int) -> NDArray[np.bool_]:
    """(B-scans, columns) bool, turned onto the volume.

    Raises:
        UsageError: the file is missing or damaged.
    """
    return turned(read_mask(record.label), symmetry)


def turned(plane: NDArray[np.bool_], symmetry: int) -> NDArray[np.bool_]:
    """One of the eight symmetries of a square: 0 to 3 quarter turns against the clock, from 4 on
    mirrored at the diagonal after them. 0 leaves it."""
    found = np.rot90(plane, symmetry % 4)
    return np.ascontiguousarray(found.T if symmetry >= 4 else found)


def find_symmetry(labels: Sequence[NDArray[np.bool_]], volumes: Sequence[NDArray[np.uint8]]) -> int:
    """How labels have to be turned onto the volumes: where they correlate best with the projection
    of the OCTA, all eyes together.

    Args:
        labels: (H, W) bool each.
        volumes: (2, depth, B-scans, columns) uint8 each.

    Raises:
        UsageError: no symmetry stands out, so that the labels may be of other eyes.
    """
    found = [
        np.mean(
            [
                _correlation(turned(label, symmetry), volume[1].mean(axis=0))
                for label, volume in zip(labels, volumes, strict=True)
            ]
        )
        for symmetry in range(_SYMMETRIES)
    ]
    order = np.argsort(found)
    best, next_ = found[order[-1]], found[order[-2]]
    if not best - next_ >= _CLEAR:
        raise UsageError(
            f"labels fit their volumes in no symmetry: the best correlates by {best:.2f}, the next "
            f"by {next_:.2f}; are they of the same eyes?"
        )
    return int(order[-1])


def _correlation(label: NDArray[np.bool_], projection: NDArray[np.float64]) -> float:
    """-1 where the sizes differ or nothing is labelled."""
    if label.shape != projection.shape or label.all() or not label.any():
        return -1.0
    return float(np.corrcoef(label.ravel(), projection.ravel())[0, 1])


def problems(root: Path) -> list[tuple[Path, str]]:
    """What is missing or does not fit, for `check-data`."""
    found: list[tuple[Path, str]] = []
    parts = [part for part in COUNTS if (root / part).is_dir()]
    if not parts:
        return [(root / "OCTA_6M", f"no such folder; {HOW_TO_GET}")]
    for part in parts:
        try:
            eyes = records(root, part)
            found += [(one, "missing") for eye in eyes for one in eye.paths if not one.exists()]
            if len(eyes) != COUNTS[part]:
                found.append((root / part, f"{len(eyes)} eyes; published with {COUNTS[part]}"))
            looked = eyes[:_LOOKED_AT]
            labels = [read_mask(eye.label) for eye in looked]
            find_symmetry(labels, [read_volume(eye) for eye in looked])
        except UsageError as error:
            found.append((root / part, str(error)))
    return found
