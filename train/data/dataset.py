"""What every fundus data set has in common: records on disk, samples in memory, a protocol."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image


@dataclass(frozen=True)
class Record:
    """The files of one photograph, and the scale that `load` brings them to."""

    id: str
    image: Path
    label: Path
    fov: Path
    second_label: Path | None = None
    scale: float = 1.0


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
    """One photograph in memory: image (H, W, 3) uint8 RGB, label and fov (H, W) bool.

    `soft` (H, W) uint8, where there is one, is learnt in the label's place: 255 for surely vessel.
    """

    id: str
    image: NDArray[np.uint8]
    label: NDArray[np.bool_]
    fov: NDArray[np.bool_]
    soft: NDArray[np.uint8] | None = None

    @property
    def target(self) -> NDArray[np.uint8]:
        """(H, W) uint8, what is learnt: the label as 0 and 255, or `soft`."""
        return self.label.astype(np.uint8) * np.uint8(255) if self.soft is None else self.soft

    def crop(self, window: Window) -> "Sample":
        rows, columns = window.slices
        return Sample(
            self.id,
            self.image[rows, columns],
            self.label[rows, columns],
            self.fov[rows, columns],
            None if self.soft is None else self.soft[rows, columns],
        )


@dataclass(frozen=True)
class DataSet:
    """A data set as it is published, and the protocol that the papers use it with.

    `list_records(folder, split)` names the files of "train" or "test"; it does not open them.
    `size` and `window` are in pixels after `scale`.
    """

    name: str
    folder: str
    size: tuple[int, int]  # height, width of a photograph
    window: Window
    counts: dict[str, int]  # photographs in each split
    vessel_fraction: tuple[float, float]  # plausible share of vessel pixels in the field of view
    list_records: Callable[[Path, str], list[Record]]
    how_to_get: str
    scale: float = 1.0

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
        return [replace(one, scale=self.scale) for one in self.list_records(folder, split)]


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
    """Reads the photograph, its first label and its field of view, at the record's scale.

    Raises:
        UsageError: a file is missing, unreadable or of another size than the photograph.
    """
    image, label, fov = read_image(record.image), read_mask(record.label), read_mask(record.fov)
    for path, mask in ((record.label, label), (record.fov, fov)):
        _check_size(path, mask, record.image.name, image)
    if record.scale == 1.0:
        return Sample(record.id, image, label, fov)
    return Sample(
        record.id,
        np.asarray(_by_area(image, record.scale), np.uint8),
        _mask_by_area(label, record.scale),
        _mask_by_area(fov, record.scale),
    )


def load_second_label(record: Record) -> NDArray[np.bool_] | None:
    """The second observer's label at the record's scale, None where there is none.

    Raises:
        UsageError: the file is missing, unreadable or of another size than the first label.
    """
    if record.second_label is None:
        return None
    mask = read_mask(record.second_label)
    _check_size(record.second_label, mask, record.label.name, read_mask(record.label))
    return mask if record.scale == 1.0 else _mask_by_area(mask, record.scale)


def _check_size(
    path: Path, mask: NDArray[np.bool_], name: str, other: NDArray[np.uint8] | NDArray[np.bool_]
) -> None:
    if mask.shape != other.shape[:2]:
        raise UsageError(
            f"{path}: {mask.shape[1]}x{mask.shape[0]} px, but its photograph "
            f"{name} has {other.shape[1]}x{other.shape[0]}; take the file of the original "
            "distribution"
        )


def _by_area(
    values: NDArray[np.uint8] | NDArray[np.float32], scale: float
) -> NDArray[np.uint8] | NDArray[np.float32]:
    height, width = (round(side * scale) for side in values.shape[:2])
    resized = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, values.dtype)


def _mask_by_area(mask: NDArray[np.bool_], scale: float) -> NDArray[np.bool_]:
    """A pixel counts where more than half of its area does."""
    return np.asarray(_by_area(mask.astype(np.float32), scale) > 0.5, np.bool_)


def split_sha256(records: list[Record]) -> str:
    """One SHA-256 over a split: its ids with the hashes of their photographs and labels."""
    lines = [f"{record.id} {_sha256(record.image)} {_sha256(record.label)}\n" for record in records]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
