"""What every fundus data set has in common: records on disk, samples in memory, a protocol."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image


@dataclass(frozen=True)
class Record:
    """The files of one photograph."""

    id: str
    image: Path
    label: Path
    fov: Path
    second_label: Path | None = None


@dataclass(frozen=True)
class Window:
    """The rectangle of the frame that the network sees, in pixels of the photograph."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True)
class Sample:
    """One photograph in memory: image (H, W, 3) uint8 RGB, label and fov (H, W) bool."""

    id: str
    image: NDArray[np.uint8]
    label: NDArray[np.bool_]
    fov: NDArray[np.bool_]

    def crop(self, window: Window) -> "Sample":
        rows, columns = window.slices
        return Sample(
            self.id,
            self.image[rows, columns],
            self.label[rows, columns],
            self.fov[rows, columns],
        )


@dataclass(frozen=True)
class DataSet:
    """A data set as it is published, and the protocol that the papers use it with.

    `list_records(folder, split)` names the files of "train" or "test"; it does not open them.
    """

    name: str
    folder: str
    size: tuple[int, int]  # height, width of a photograph
    window: Window
    counts: dict[str, int]  # photographs in each split
    vessel_fraction: tuple[float, float]  # plausible share of vessel pixels in the field of view
    list_records: Callable[[Path, str], list[Record]]
    how_to_get: str

    def records(self, root: Path, split: str) -> list[Record]:
        """The records of `split` below `root`, in the data set's own order.

        Raises:
            UsageError: the split is unknown or the folder is missing.
        """
        if split not in self.counts:
            raise UsageError(f"{self.name}: unknown split {split!r}; known: train, test")
        folder = root / self.folder
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; {self.how_to_get}")
        return self.list_records(folder, split)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A label or field-of-view file as (H, W) bool: more than half of its largest value counts.

    Releases hold 0 and 1, 0 and 255, or, as DRIVE's second observer, palette greys 3 and 253.

    Raises:
        UsageError: the file is missing or unreadable.
    """
    values = read_image(path).max(axis=2)
    mask: NDArray[np.bool_] = values > values.max() / 2
    return mask


def load(record: Record) -> Sample:
    """Reads the photograph, its first label and its field of view.

    Raises:
        UsageError: a file is missing, unreadable or of another size than the photograph.
    """
    image, label, fov = read_image(record.image), read_mask(record.label), read_mask(record.fov)
    for path, mask in ((record.label, label), (record.fov, fov)):
        if mask.shape != image.shape[:2]:
            raise UsageError(
                f"{path}: {mask.shape[1]}x{mask.shape[0]} px, but its photograph "
                f"{record.image.name} has {image.shape[1]}x{image.shape[0]}; "
                "take the file of the original distribution"
            )
    return Sample(record.id, image, label, fov)


def split_sha256(records: list[Record]) -> str:
    """One SHA-256 over a split: its ids with the hashes of their photographs and labels."""
    lines = [f"{record.id} {_sha256(record.image)} {_sha256(record.label)}\n" for record in records]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
