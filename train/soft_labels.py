"""`python -m train soft-labels`: what an ensemble of teachers makes of the training photographs.

A network then learns these beside the labels (`--data.soft_labels`). Each data set may have
teachers of its own, who see photographs whole and at the size that they know, which a student's
random crops could not offer them; and a training step costs no more than without.

Annotators disagree on how faint a vessel may be, so that the best threshold is another one for each
data set. The ensemble's logits are shifted until its best threshold on the training photographs is
0.5: one threshold then suits all that the student learns from.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.atomic import write_file
from edge_vessel.atomic_folder import make_folder
from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image
from train import data as registry
from train.data.dataset import DataSet, Sample, load, split_sha256
from train.data.root import data_root
from train.lineage import refuse_known, seen
from train.metrics import Prediction, best_threshold
from train.models.checkpoint import load_checkpoint
from train.predict import Predictor, predict_sample, torch_predictor
from train.protocol import FIELD_OF_VIEW, count

_RECORD = "soft_labels.json"
_SMALLEST = 1e-6  # of a probability, so that its logit is finite


@dataclass(frozen=True)
class Teacher:
    """A checkpoint, and how wide it sees fields of view; none: as they are.

    `fit` and `validation` are the photographs that it and what it came from have seen, by data set.
    """

    file: str
    sha256: str
    fov_diameter_px: float | None
    fit: dict[str, list[str]]
    validation: dict[str, list[str]]


@dataclass(frozen=True)
class SoftLabels:
    """What was made: of one data set's training photographs, by whom.

    `sha256` is over the pictures, `data_sha256` over photographs and labels. `threshold` was the
    ensemble's best on them inside the field of view, before the shift, and `dice` what it has
    there: of photographs that the teachers have learnt, no figure to promise.
    """

    dataset: str
    data_sha256: str
    sha256: str
    teachers: list[Teacher]
    threshold: float
    dice: float


def levelled(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """(H, W) probabilities, their logits shifted so that `threshold`, in (0, 1), comes to 0.5."""
    p = np.clip(probability.astype(np.float64), _SMALLEST, 1.0 - _SMALLEST)
    odds = p / (1.0 - p) * ((1.0 - threshold) / threshold)
    return np.asarray(odds / (1.0 + odds), np.float32)


def soft_labels(arguments: list[str]) -> None:
    """Predicts, shifts, writes a grey PNG for each photograph, 255 for sure, and the record last.

    Raises:
        UsageError: no such checkpoint or data set, or a teacher that knows test photographs.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    root = data_root(options.data)
    dataset = registry.find(options.dataset)
    teachers = [_teacher(text, dataset, root) for text in options.teacher]
    records = dataset.records(root, "train")
    found = [_mean(dataset, load(record), teachers) for record in records]
    histogram = reduce(add, (count(one)[0].regions[FIELD_OF_VIEW] for one in found))
    threshold = best_threshold(histogram)
    pictures = {one.id: _png(levelled(one.probability, threshold)) for one in found}
    made = SoftLabels(
        dataset.name,
        split_sha256(records),
        _sha256(pictures),
        [teacher for teacher, _ in teachers],
        threshold,
        histogram.confusion(threshold).dice,
    )
    folder = options.output / dataset.name
    make_folder(folder)
    for name, content in pictures.items():
        write_file(folder / f"{name}.png", content)
    write_file(folder / _RECORD, (json.dumps(asdict(made), indent=1) + "\n").encode())
    sys.stdout.write(
        f"{folder}: {len(found)} photographs, {len(teachers)} teachers; best threshold "
        f"{threshold:.2f} now 0.50, Dice on these training photographs {made.dice:.4f}\n"
    )


def _teacher(text: str, dataset: DataSet, root: Path) -> tuple[Teacher, Predictor]:
    path, width = _file_and_width(text)
    checkpoint = load_checkpoint(path)
    refuse_known(path, checkpoint, dataset, root)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    both = (seen(checkpoint.run, part) for part in ("fit", "validation"))
    return Teacher(path.name, sha256, width, *both), torch_predictor(checkpoint.network)


def _file_and_width(text: str) -> tuple[Path, float | None]:
    """FILE or FILE@PX; a folder's name may have an @ too."""
    name, at, diameter = text.rpartition("@")
    if not at or "/" in diameter:
        return Path(text), None
    try:
        width = float(diameter)
    except ValueError:
        width = -1.0
    if not 32.0 <= width <= 8192.0:
        raise UsageError(f"--teacher {text}: FILE@PX, the field of view from 32 to 8192 px wide")
    return Path(name), width


def _png(probability: NDArray[np.float32]) -> bytes:
    grey = np.rint(probability * 255.0).astype(np.uint8)
    return cv2.imencode(".png", grey)[1].tobytes()


def _sha256(pictures: dict[str, bytes]) -> str:
    """One over all of them, by id."""
    lines = [f"{one} {hashlib.sha256(pictures[one]).hexdigest()}\n" for one in sorted(pictures)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _mean(
    dataset: DataSet, sample: Sample, teachers: list[tuple[Teacher, Predictor]]
) -> Prediction:
    found = [
        predict_sample(predict, dataset, sample, teacher.fov_diameter_px)
        for teacher, predict in teachers
    ]
    total = np.mean([one.probability for one in found], axis=0, dtype=np.float32)
    return replace(found[0], probability=np.asarray(total, np.float32))


def softened(sample: Sample, folder: Path, share: float) -> Sample:
    """The sample with targets of which `share` is the ensemble's and the rest the label's.

    `read_record` has found the pictures whole.
    """
    soft = read_image(folder / f"{sample.id}.png")[..., 0]
    mixed = share * soft + (1.0 - share) * 255.0 * sample.label
    return replace(sample, soft=np.rint(mixed).astype(np.uint8))


def read_record(folder: Path, dataset: DataSet, root: Path) -> SoftLabels:
    """What `soft-labels` wrote of itself in a data set's folder.

    Raises:
        UsageError: nothing, nonsense, or of other pictures than those beside it, as where the
            making was broken off, or of other photographs than those below `root`.
    """
    path = folder / _RECORD
    records = dataset.records(root, "train")
    try:
        content = json.loads(path.read_bytes())
        teachers = [Teacher(**one) for one in content["teachers"]]
        found = SoftLabels(**{**content, "teachers": teachers})
        if not all(isinstance(ids, dict) for one in teachers for ids in (one.fit, one.validation)):
            raise TypeError("photographs by data set")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: no record of soft labels: make them again") from error
    if found.data_sha256 != split_sha256(records):
        raise UsageError(f"{path}: of other photographs or labels than those of {root}")
    try:
        pictures = {one.id: (folder / f"{one.id}.png").read_bytes() for one in records}
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read: make soft labels again") from error
    if found.sha256 != _sha256(pictures):
        raise UsageError(f"{path}: of other pictures than those beside it: make them again")
    return found


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m train soft-labels", description=__doc__)
    parse.add_argument("--dataset", required=True)
    parse.add_argument(
        "--teacher",
        action="append",
        required=True,
        metavar="FILE[@PX]",
        help="a checkpoint, and how wide it sees fields of view; may be repeated",
    )
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    return parse
