"""`python -m bench accuracy`: what the device gives on a data set, stage by stage.

Each photograph goes the runtime's own way, whole: field of view, crop, network, back to its pixels.
Stages are artifacts of one network, in the order given, before them the checkpoint in torch. The
labels, regions and scores are training's (`train.protocol`), the threshold is each artifact's own.

Needs the workstation's packages: pip install -e '.[train]'.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import accuracy_table, conditions, document, flags, run_file
from bench.accuracy_file import SCHEMA_VERSION, AccuracyRun, Line, PixelScores
from bench.subject import Subject
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, add_trust_flags, path, whole_number
from edge_vessel.engines import Engine
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError
from edge_vessel.progress import shown
from edge_vessel.segmenter import Segmenter
from train import data as registry
from train.data.dataset import Record, load
from train.data.root import data_root
from train.histogram import Histogram
from train.metrics import Prediction, score
from train.models.checkpoint import load_checkpoint
from train.predict import torch_predictor
from train.protocol import FIELD_OF_VIEW, FULL_FRAME, count

TORCH = "torch"


class TorchEngine:
    """A checkpoint in the place of an artifact's engine."""

    name = TORCH

    def __init__(self, checkpoint: Path) -> None:
        import torch

        self.version, self.threads = str(torch.__version__), torch.get_num_threads()
        self._predict = torch_predictor(load_checkpoint(checkpoint).network)

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As `edge_vessel.engines.base.Engine`."""
        return self._predict(image)


@dataclass
class _Stage:
    name: str
    artifact: str | None
    segmenter: Segmenter
    counted: dict[str, Histogram]
    without_fundus: int = 0
    largest: float = 0.0
    summed: float = 0.0
    pixels: int = 0


def accuracy(arguments: list[str]) -> int:
    """Predicts, prints, writes.

    Raises:
        UsageError: no such artifact, checkpoint or data set.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: an engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    root = data_root(options.data)
    datasets = [registry.find(name) for name in options.dataset.split("+")]
    trusted = signing.trusted_keys(options.trusted_key)
    artifacts = [
        open_artifact(folder, trusted, options.allow_unsigned)
        for folder in map(models.resolve, options.artifact or [None])
    ]
    if len({one.fundus.input for one in artifacts}) > 1:
        sys.stderr.write("note: inputs of several sizes: differences are not rounding alone\n")
    board = read_board()
    # What else the machine does costs time, not accuracy.
    before = conditions.begin(True, 0.0, board, available())
    lines: list[Line] = []
    subjects: dict[str, Subject] = {}
    for dataset in datasets:
        stages = _stages(artifacts, options.checkpoint)
        subjects = {
            one.artifact: Subject.of(
                one.segmenter.artifact,
                f"{one.segmenter.engine.name} {one.segmenter.engine.version}",
            )
            for one in stages
            if one.artifact is not None
        }
        records = dataset.records(root, "test")[: options.photographs]
        lines += _measure(dataset.name, records, stages)
    after = read_board()
    run = AccuracyRun(
        SCHEMA_VERSION,
        "accuracy",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        tuple(subjects.values()),
        tuple(lines),
    )
    if options.output is not None:
        write_file(options.output, document.text(run).encode())
    if options.json:
        sys.stdout.write(document.text(run))
    else:
        accuracy_table.show(run)
    return 0


def _stages(artifacts: Sequence[Artifact], checkpoint: Path | None) -> list[_Stage]:
    """New ones for each data set; the checkpoint comes first, by the first artifact's size."""
    engines: list[tuple[str, Artifact, Engine | None]] = [
        (
            f"{one.manifest.name} ({one.manifest.engine.name} {one.manifest.model.precision})",
            one,
            None,
        )
        for one in artifacts
    ]
    if checkpoint is not None:
        engines.insert(0, (TORCH, artifacts[0], TorchEngine(checkpoint)))
    names = [name for name, _, _ in engines]
    if len(set(names)) < len(names):
        raise UsageError(f"a stage stands twice: {', '.join(names)}; give each artifact once")
    return [
        _Stage(
            name,
            artifact.manifest.name if engine is None else None,
            Segmenter(artifact, engine=engine),
            {},
        )
        for name, artifact, engine in engines
    ]


def _measure(name: str, records: Sequence[Record], stages: Sequence[_Stage]) -> Iterator[Line]:
    for record in shown(records, name):
        _photograph(record, stages)
    for stage in stages:
        for region, histogram in stage.counted.items():
            first = stage is stages[0]
            yield Line(
                stage.name,
                stage.artifact,
                name,
                region,
                len(records),
                stage.without_fundus,
                stage.segmenter.threshold,
                _scores(histogram, stage.segmenter.threshold),
                None if first else stage.largest,
                None if first else stage.summed / stage.pixels,
            )


def _scores(histogram: Histogram, threshold: float) -> PixelScores:
    found = score(histogram, threshold)
    return PixelScores(*(getattr(found, one.name) for one in fields(PixelScores)))


def _photograph(record: Record, stages: Sequence[_Stage]) -> None:
    sample = load(record)
    reference: NDArray[np.float32] | None = None
    for stage in stages:
        found = stage.segmenter.segment(sample.image)
        stage.without_fundus += found.status != "ok"
        one = Prediction(sample.id, found.probability, sample.label, sample.fov)
        regions = count(one)[0].regions
        for region in (FULL_FRAME, FIELD_OF_VIEW):
            parts = [regions[region], *([stage.counted[region]] if stage.counted else [])]
            regions[region] = reduce(add, parts)
        stage.counted = regions
        if reference is None:
            reference = found.probability
        apart = np.abs(found.probability - reference)
        stage.largest = max(stage.largest, float(apart.max()))
        stage.summed += float(apart.sum(dtype=np.float64))
        stage.pixels += apart.size


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench accuracy", description=__doc__)
    parse.add_argument("artifact", type=path, nargs="*", help="folders, or bundled ones by name")
    parse.add_argument("--checkpoint", type=path, metavar="FILE", help="the stage before: torch")
    parse.add_argument("--dataset", default="drive", help="several joined by +; default: drive")
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument(
        "--photographs",
        type=whole_number(1, 10**9),
        metavar="N",
        help="the first N of each data set, for a quick look",
    )
    add_trust_flags(parse)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the document as JSON")
    return parse
