"""`python -m train evaluate`: one checkpoint on data sets, by threshold rule and region."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_vessel.atomic import write_file
from edge_vessel.atomic_folder import make_folder
from edge_vessel.errors import UsageError
from train import data as registry
from train import evaluation
from train.data.dataset import DataSet, Record, load
from train.data.root import data_root
from train.evaluation import Report, Scaling
from train.lineage import known, refuse_known
from train.metrics import Scores
from train.models.checkpoint import Checkpoint, load_checkpoint
from train.pictures import compared, write_png
from train.predict import (
    Predictor,
    Tiling,
    mean_field_of_view_px,
    predict_sample,
    torch_predictor,
)
from train.protocol import A_PRIORI, FULL_FRAME, Counted, Kept, Row, centrelines, count, rows
from train.protocol import thresholds as by_rule

_SMALLEST_FOV, _LARGEST_FOV = 32.0, 8192.0  # px


@dataclass(frozen=True)
class _Trained:
    """What the training photographs say, once for all test sets.

    `counted` is by training set; `fitted` is what the temperature is fitted on.
    """

    on: str
    records: list[Record]
    counted: dict[str, list[Counted]]
    fitted: list[list[Counted]]
    predict: Predictor
    scaling: Scaling


def evaluate(arguments: list[str]) -> None:
    """Parses, predicts, prints, and writes a report for each data set as soon as it is there.

    Raises:
        UsageError: no such checkpoint, data set or device, or an option that does not suit it.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    root = data_root(options.data)
    datasets = [registry.find(name) for name in options.dataset.split("+")]
    checkpoint = load_checkpoint(options.checkpoint)
    device = _device(options.device)
    for folder in (options.pictures, options.output if len(datasets) > 1 else None):
        if folder is not None:
            make_folder(folder)
    for dataset in datasets:
        refuse_known(options.checkpoint, checkpoint, dataset, root)
    trained = _train(options, root, checkpoint, device)
    documents = []
    for dataset in datasets:
        report = _test(options, root, dataset, checkpoint, trained)
        document = asdict(report)
        if (output := _output(options, report, len(datasets))) is not None:
            write_file(output, (json.dumps(document, indent=1) + "\n").encode())
        documents.append(document)
        if options.markdown:
            sys.stdout.write(markdown(report.rows))
        elif not options.json:
            _print(report)
    if options.json:
        shown = documents if len(documents) > 1 else documents[0]
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")


def _output(options: argparse.Namespace, report: Report, count: int) -> Path | None:
    """The file of a report; of several, in the folder that --output names."""
    name = f"evaluation_{_file_name(report)}.json"
    if options.output is not None:
        given: Path = options.output
        return given / name if count > 1 else given
    run: Path = options.checkpoint.parent
    return run / name if (run / "config.yaml").is_file() else None


def _train(
    options: argparse.Namespace, root: Path, checkpoint: Checkpoint, device: torch.device
) -> _Trained:
    trained_on = options.trained_on or str(checkpoint.run.get("data") or options.dataset)
    training = [registry.find(name) for name in trained_on.split("+")]
    records = [(one, record) for one in training for record in one.records(root, "train")]
    scaling = _scaling(options, training)
    tiling = None if scaling.tile_px is None else Tiling(scaling.tile_px, options.overlap)
    predict = torch_predictor(checkpoint.network.to(device), tiling)
    counted: dict[str, list[Counted]] = {one.name: [] for one in training}
    found = _counted(predict, records, scaling, "train")
    for (owner, _), (one, _) in zip(records, found, strict=True):
        counted[owner.name].append(one)
    fitted = _fitted(counted, options.calibrate_on, checkpoint)
    return _Trained(
        trained_on, [record for _, record in records], counted, fitted, predict, scaling
    )


def _test_scaling(trained: _Trained, dataset: DataSet) -> Scaling:
    """Another data set than the training's comes as wide as that."""
    if trained.scaling.fov_diameter_px is not None or dataset.name == trained.on:
        return trained.scaling
    diameter = round(mean_field_of_view_px(trained.records), 1)
    return replace(trained.scaling, fov_diameter_px=diameter)


def _test(
    options: argparse.Namespace,
    root: Path,
    dataset: DataSet,
    checkpoint: Checkpoint,
    trained: _Trained,
) -> Report:
    scaling = _test_scaling(trained, dataset)
    tests = [(dataset, record) for record in dataset.records(root, "test")]
    found = _counted(trained.predict, tests, scaling, "test")
    test, kept = [one for one, _ in found], [one for _, one in found]
    at = by_rule(trained.counted, test, dataset.name)
    if options.pictures is not None:
        folder = options.pictures / dataset.name if "+" in options.dataset else options.pictures
        make_folder(folder)
        _draw(folder, kept, at[FULL_FRAME, A_PRIORI])
    return Report(
        kind="measured",
        dataset=dataset.name,
        images=len(test),
        rows=rows(test, at, [centrelines(one, at) for one in kept]),
        trained_on=trained.on,
        scaling=scaling,
        curves=evaluation.curves(test),
        second_observer=evaluation.second_observer(dataset, root),
        calibration=evaluation.calibration(trained.fitted, options.calibrate_on, test),
        **evaluation.identity(options.checkpoint, checkpoint, trained.records),
        **evaluation.conditions(_device(options.device)),
    )


def _scaling(options: argparse.Namespace, training: Sequence[DataSet]) -> Scaling:
    """How the training photographs come to the network, and the tests unless they are others.

    Raises:
        UsageError: the diameter is none, or missing where the training sets have several.
    """
    diameter = options.fov_diameter
    if diameter is not None and not _SMALLEST_FOV <= diameter <= _LARGEST_FOV:
        raise UsageError(
            f"--fov-diameter {diameter}: from {_SMALLEST_FOV:g} to {_LARGEST_FOV:g} px"
        )
    if diameter is None and len(training) > 1:
        raise UsageError(
            f"trained on {'+'.join(one.name for one in training)}: several sizes of fields of "
            "view; say which with --fov-diameter PX"
        )
    return Scaling(diameter, options.tile, None if options.tile is None else options.overlap)


def _counted(
    predict: Predictor, records: Sequence[tuple[DataSet, Record]], scaling: Scaling, split: str
) -> list[tuple[Counted, Kept | None]]:
    """One photograph after the other; maps are kept of the test set only."""
    console = Console(stderr=True)
    found: list[tuple[Counted, Kept | None]] = []
    for dataset, record in track(
        records,
        f"{records[0][0].name} {split}",
        console=console,
        disable=not console.is_terminal,
    ):
        one = predict_sample(predict, dataset, load(record), scaling.fov_diameter_px)
        counted, kept = count(one)
        found.append((counted, kept if split == "test" else None))
    return found


def _fitted(
    train: dict[str, list[Counted]], part: str, checkpoint: Checkpoint
) -> list[list[Counted]]:
    """The photographs that the temperature is fitted on, by data set."""
    if part == "training":
        return list(train.values())
    # What one run watched, another that it began with or learnt from may have fitted.
    held_out = known(checkpoint, ("validation",)) - known(checkpoint, ("fit",))
    found = [
        [one for one in counted if (registry.find(name).folder, one.id) in held_out]
        for name, counted in train.items()
    ]
    if not any(found):
        raise UsageError(
            f"--calibrate-on validation: the checkpoint names no validation photographs of "
            f"{', '.join(train)} that it has not been fitted on; use training"
        )
    return [one for one in found if one]


def _file_name(report: Report) -> str:
    """One of its own for each protocol."""
    parts = [report.dataset]
    if report.trained_on != report.dataset:
        parts += ["by", report.trained_on]
    if report.scaling.fov_diameter_px is not None:
        parts.append(f"{report.scaling.fov_diameter_px:g}px")
    if report.scaling.tile_px is not None:
        parts.append(f"tiles{report.scaling.tile_px}")
    return "_".join(parts)


def _draw(folder: Path, kept: list[Kept], threshold: float) -> None:
    for one in kept:
        write_png(folder / f"{one.id}.png", compared(one.mask(threshold), one.label))


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name}: not available here: {reason}") from error
    return device


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m train evaluate", description=__doc__)
    parse.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parse.add_argument(
        "--dataset",
        default="drive",
        help=f"{', '.join(registry.DATA_SETS)}; several joined by +",
    )
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument(
        "--trained-on",
        metavar="NAME",
        help="take the a priori threshold, and the size of fields of view, from this data set; "
        "default: what the checkpoint says that it was trained on",
    )
    parse.add_argument(
        "--fov-diameter",
        type=float,
        metavar="PX",
        help="scale photographs until their fields of view are so wide in the network",
    )
    parse.add_argument("--tile", type=int, metavar="PX", help="slide a window of this size")
    parse.add_argument(
        "--overlap", type=float, default=0.25, help="share of neighbouring windows; 0.5 is safer"
    )
    parse.add_argument(
        "--calibrate-on",
        choices=("training", "validation"),
        default="training",
        help="photographs that the temperature is fitted on; the network knows training's too well",
    )
    parse.add_argument("--device", default="cpu", help="cpu or cuda")
    parse.add_argument(
        "--pictures", type=Path, metavar="DIR", help="draw found, false and missed vessels"
    )
    parse.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="write the report as JSON; of several data sets, a folder",
    )
    printed = parse.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print the report as JSON")
    printed.add_argument("--markdown", action="store_true", help="print the table for a README")
    return parse


def _header() -> list[str]:
    return ["threshold rule", "threshold", "region", "averaging", *(f.name for f in fields(Scores))]


def _cells(row: Row) -> list[str]:
    values = asdict(row.scores).values()
    scores = ["" if value is None else f"{value:.4f}" for value in values]
    return [row.rule, f"{row.threshold:.2f}", row.region, row.averaging, *scores]


def markdown(table: list[Row]) -> str:
    """The rows as a GitHub table."""
    lines = [_header(), ["---"] * len(_header()), *map(_cells, table)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _print(report: Report) -> None:
    table = Table(title=f"{report.model} on {report.dataset}, {report.images} test images")
    for name in _header():
        table.add_column(name)
    for row in report.rows:
        table.add_row(*_cells(row))
    Console().print(table)
