"""One evaluation as it is stored: the figures and the conditions that they were made under."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from train.calibration import Calibration, fit_temperature, reliability
from train.data.dataset import DataSet, Record, load, load_second_label, split_sha256
from train.git import git_revision
from train.histogram import Confusion, Point, confusion
from train.models.checkpoint import Checkpoint
from train.protocol import FIELD_OF_VIEW, FULL_FRAME, Counted, Row, alike, summed


@dataclass(frozen=True)
class Observer:
    """The second human observer against the first, all pixels as one set."""

    dice: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Scaling:
    """How photographs come to the network; none of a field: as they are, in one piece.

    Attributes:
        fov_diameter_px: of their fields of view in the network.
        tile_px, overlap: of sliding windows.
    """

    fov_diameter_px: float | None = None
    tile_px: int | None = None
    overlap: float | None = None

    def __str__(self) -> str:
        """In a few words."""
        size = "own size"
        if self.fov_diameter_px is not None:
            size = f"field of view {self.fov_diameter_px:g} px"
        return size if self.tile_px is None else f"{size}, tiles {self.tile_px} px"


@dataclass(frozen=True)
class Report:
    """`kind` is always "measured"; `dataset` is whose test photographs, `trained_on` whose training
    photographs set the a priori threshold; `run` is what the checkpoint says of its training.

    `curves`, `second_observer` are by region.
    """

    kind: str
    model: str
    checkpoint: str
    checkpoint_sha256: str
    dataset: str
    training_split_sha256: str
    images: int
    rows: list[Row]
    torch: str
    machine: str
    git_revision: str
    created: str
    trained_on: str
    options: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    scaling: Scaling = Scaling()
    curves: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    second_observer: dict[str, Observer] = field(default_factory=dict)
    calibration: Calibration | None = None


def conditions(device: torch.device) -> dict[str, str]:
    """Machine, versions and time, named as in `Report`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "torch": str(torch.__version__),
        "machine": f"{name}, {torch.get_num_threads()} threads",
        "git_revision": git_revision(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def identity(path: Path, checkpoint: Checkpoint, training: Sequence[Record]) -> dict[str, Any]:
    """Which network, and whose threshold, named as in `Report`."""
    return {
        "model": checkpoint.name,
        "options": checkpoint.options,
        "run": checkpoint.run,
        "checkpoint": path.name,
        "checkpoint_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "training_split_sha256": split_sha256(list(training)),
    }


def curves(test: Sequence[Counted]) -> dict[str, tuple[Point, ...]]:
    """Precision and recall of all pixels as one set, by region."""
    return {
        region: summed(test, region).precision_recall() for region in (FULL_FRAME, FIELD_OF_VIEW)
    }


def calibration(
    fitted: Sequence[Sequence[Counted]], fitted_on: str, test: Sequence[Counted]
) -> Calibration:
    """Before and after the temperature that fits `fitted` best, inside the field of view; several
    data sets of it weigh the same."""
    temperature = fit_temperature(alike([summed(one, FIELD_OF_VIEW) for one in fitted]))
    histogram = summed(test, FIELD_OF_VIEW)
    before, after = reliability(histogram), reliability(histogram, temperature)
    return Calibration(temperature, fitted_on, before, after)


def second_observer(dataset: DataSet, root: Path) -> dict[str, Observer]:
    """By region; empty where the data set has one observer."""
    found: dict[str, Confusion] = {}
    for record in dataset.records(root, "test"):
        second = load_second_label(record)
        if second is None:
            return {}
        sample = load(record)
        for region, inside in ((FULL_FRAME, sample.fov | True), (FIELD_OF_VIEW, sample.fov)):
            one = confusion(second[inside], sample.label[inside])
            found[region] = found[region] + one if region in found else one
    return {
        region: Observer(one.dice, one.precision, one.sensitivity) for region, one in found.items()
    }
