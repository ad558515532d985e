"""`python -m train evaluate`: one checkpoint on one data set, by threshold rule and region."""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_vessel.atomic import write_file
from train import data as registry
from train.data.dataset import split_sha256
from train.data.root import data_root
from train.metrics import Prediction, Scores, best_threshold, mean, pooled
from train.models.checkpoint import load_network
from train.predict import predictions, torch_predictor

A_PRIORI = "a priori: best on the training set"
FIXED = "fixed: 0.5"
A_POSTERIORI = "a posteriori: best on the test set"


@dataclass(frozen=True)
class Row:
    """Scores by one rule, over one region, put together in one way."""

    rule: str
    threshold: float
    region: str  # "full frame" or "field of view"
    averaging: str  # "pooled" or "mean over images"
    scores: Scores


@dataclass(frozen=True)
class Report:
    """An evaluation and the conditions that it was made under; `kind` is always "measured"."""

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


def rows(train: list[Prediction], test: list[Prediction]) -> list[Row]:
    """Every rule, region and averaging; each region has its own best threshold."""
    result = []
    for region, inside in (("full frame", False), ("field of view", True)):
        rules = {
            A_PRIORI: best_threshold(train, inside),
            FIXED: 0.5,
            A_POSTERIORI: best_threshold(test, inside),
        }
        for rule, threshold in rules.items():
            for averaging, combine in (("pooled", pooled), ("mean over images", mean)):
                scores = combine(test, threshold, inside)
                result.append(Row(rule, threshold, region, averaging, scores))
    return result


def evaluate(arguments: list[str]) -> None:
    """Parses, predicts, prints, and writes the report."""
    options = _parser().parse_args(arguments)
    root = data_root(options.data)
    dataset = registry.find(options.dataset)
    name, network = load_network(options.checkpoint)
    predict = torch_predictor(network)
    console = Console(stderr=True)
    found: dict[str, list[Prediction]] = {}
    for split in ("train", "test"):
        steps = predictions(predict, dataset, root, split)
        found[split] = list(
            track(
                steps,
                f"{dataset.name} {split}",
                total=dataset.counts[split],
                console=console,
                disable=not console.is_terminal,
            )
        )
    report = Report(
        kind="measured",
        model=name,
        checkpoint=options.checkpoint.name,
        checkpoint_sha256=hashlib.sha256(options.checkpoint.read_bytes()).hexdigest(),
        dataset=dataset.name,
        training_split_sha256=split_sha256(dataset.records(root, "train")),
        images=len(found["test"]),
        rows=rows(found["train"], found["test"]),
        torch=torch.__version__,
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
        git_revision=_git_revision(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    document = json.dumps(asdict(report), indent=1)
    if options.output is not None:
        write_file(options.output, (document + "\n").encode())
    if options.json:
        sys.stdout.write(document + "\n")
    elif options.markdown:
        sys.stdout.write(markdown(report.rows))
    else:
        _print(report)


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m train evaluate", description=__doc__)
    parse.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parse.add_argument("--dataset", default="drive", help="drive, chase_db1 or hrf")
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument("--output", type=Path, metavar="FILE", help="write the report as JSON")
    parse.add_argument("--json", action="store_true", help="print the report as JSON")
    parse.add_argument("--markdown", action="store_true", help="print the table for a README")
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


def _git_revision() -> str:
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
