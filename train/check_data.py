"""`python -m train check-data`: what is missing, damaged or mislabelled."""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_vessel.errors import UsageError
from train import data as registry
from train.data import octa500
from train.data.dataset import DataSet, Record, Sample, load, read_mask
from train.data.root import data_root

_RING_PX = 15  # of the background that a vessel is compared with
_MAX_OUTSIDE = 0.03  # share of label pixels outside the field of view
_MIN_CONTRAST = 0.02  # of the brightness around: vessels are darker than that


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file."""

    dataset: str
    path: str
    problem: str


def check(dataset: DataSet, root: Path) -> list[Problem]:
    """Everything that is wrong with one data set, its files in order."""
    found: list[Problem] = []
    seen: dict[str, Path] = {}
    for split in dataset.counts:
        try:
            records = dataset.records(root, split)
        except UsageError as error:
            return [Problem(dataset.name, str(root / dataset.folder), str(error))]
        for record in records:
            found += _check_record(dataset, record, seen)
    return found


def _check_record(dataset: DataSet, record: Record, seen: dict[str, Path]) -> list[Problem]:
    def problem(path: Path, text: str) -> Problem:
        return Problem(dataset.name, str(path), text)

    paths = [record.image, record.label, record.fov]
    paths += [record.second_label] if record.second_label else []
    missing = [problem(path, "missing") for path in paths if not path.is_file()]
    if missing:
        return missing
    found = []
    for path in (record.image, record.label):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in seen:
            found.append(problem(path, f"the same file as {seen[digest].name}"))
        seen[digest] = path
    try:
        sample = load(record)
        if record.second_label and read_mask(record.second_label).shape != sample.label.shape:
            found.append(problem(record.second_label, "another size than its photograph"))
    except UsageError as error:
        return [*found, problem(record.image, str(error))]
    if sample.label.shape != dataset.size:
        height, width = sample.label.shape
        text = f"{width}x{height} px; published with {dataset.size[1]}x{dataset.size[0]}"
        return [*found, problem(record.image, text)]
    return found + [problem(record.label, text) for text in label_problems(dataset, sample)]


def label_problems(dataset: DataSet, sample: Sample) -> list[str]:
    """What makes a label implausible for its photograph, one line each."""
    found = []
    share = float(sample.label[sample.fov].mean())
    low, high = dataset.vessel_fraction
    if not low <= share <= high:
        return [f"{share:.1%} of the field of view is vessel; {low:.0%} to {high:.0%} is plausible"]
    outside = float((sample.label & ~sample.fov).sum() / sample.label.sum())
    if outside > _MAX_OUTSIDE:
        found.append(f"{outside:.1%} of its vessels lie outside the field of view")
    contrast = vessel_contrast(sample)
    if contrast < _MIN_CONTRAST:
        found.append(
            f"its vessels are {contrast:.1%} darker than their surroundings (at least "
            f"{_MIN_CONTRAST:.0%}): the label of another photograph, or turned?"
        )
    return found


def vessel_contrast(sample: Sample) -> float:
    """How much darker, as a share, labelled vessels are than the green channel around them."""
    scale = 565 / sample.label.shape[1]
    green = cv2.resize(sample.image[..., 1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = (green.shape[1], green.shape[0])
    label, fov = (
        cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
        for mask in (sample.label, sample.fov)
    )
    weight = (fov & ~label).astype(np.float32)
    box = (_RING_PX, _RING_PX)
    around = cv2.blur(green.astype(np.float32) * weight, box) / (cv2.blur(weight, box) + 1e-6)
    inner = cv2.erode(fov.astype(np.uint8), np.ones(box, np.uint8)) > 0
    vessels = label & inner
    if not vessels.any():
        return 0.0
    return float(1.0 - green[vessels].mean() / max(1e-6, float(around[vessels].mean())))


def _check_named(name: str, root: Path) -> list[Problem]:
    if name == octa500.NAME:
        return [Problem(name, str(path), text) for path, text in octa500.problems(root)]
    return check(registry.find(name), root)


def _expected(name: str) -> str:
    if name == octa500.NAME:
        return " or ".join(f"{count} eyes of {part}" for part, count in octa500.COUNTS.items())
    return f"{sum(registry.find(name).counts.values())} photographs"


def check_data(arguments: list[str]) -> int:
    """Prints the problems; 0 where there are none, 2 otherwise."""
    parse = argparse.ArgumentParser(prog="python -m train check-data", description=__doc__)
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument(
        "--dataset",
        action="append",
        help=f"only this one; may be repeated; {octa500.NAME} is checked only where it is named",
    )
    parse.add_argument("--json", action="store_true")
    options = parse.parse_args(arguments)
    root = data_root(options.data)
    # One name a folder: a second protocol over the same files has nothing new to check.
    of_folders = {one.folder: name for name, one in reversed(registry.DATA_SETS.items())}
    names = options.dataset or sorted(of_folders.values())
    found = {name: _check_named(name, root) for name in names}
    if options.json:
        document = {name: [asdict(problem) for problem in each] for name, each in found.items()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        for name, problems in found.items():
            for problem in problems:
                sys.stdout.write(f"{problem.path}: {problem.problem}\n")
            verdict = f"{len(problems)} problems" if problems else "nothing wrong"
            sys.stdout.write(f"{name}: {_expected(name)} expected, {verdict}\n")
    return 2 if any(found.values()) else 0
