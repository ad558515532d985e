"""`python -m train report`: evaluations as one table, seeds of one setting in one line."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student_t

from edge_vessel.errors import UsageError
from train import data as registry
from train import plots
from train.protocol import MEAN, POOLED, REGIONS, RULES
from train.stored import Stored, read_all

NAMES = ("dice", "accuracy", "sensitivity", "specificity", "auc", "mcc", "cldice")


@dataclass(frozen=True)
class Estimate:
    """The mean over seeds and the half width of its 95 % interval, None for one seed."""

    mean: float
    interval: float | None

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ± {self.interval:.4f}"


@dataclass(frozen=True)
class Line:
    """One setting. Training's cost is the mean over seeds, None where a run does not say."""

    model: str
    trained_on: str
    tested_on: str
    threshold_from: str
    scaling: str
    seeds: int
    scores: dict[str, Estimate | None]
    epochs: float | None
    images_seen: float | None
    minutes: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Student's t with n - 1 degrees of freedom: seeds are few."""
    count = len(values)
    if count < 2:
        return Estimate(float(values[0]), None)
    error = float(np.std(values, ddof=1)) / count**0.5
    return Estimate(float(np.mean(values)), float(student_t.ppf(0.975, count - 1)) * error)


def lines(
    evaluations: Sequence[Stored],
    rule: str,
    region: str,
    averaging: str,
    *,
    any_epochs: bool = False,
) -> list[Line]:
    """A line a setting, in the order of their first evaluations.

    A short and a long training are no two seeds of one setting, unless `any_epochs` says so.
    clDice needs a plane: it is the mean over images whatever the averaging.

    Raises:
        UsageError: an evaluation lacks the row, or a seed stands twice in a setting.
    """
    groups: dict[tuple[str, ...], list[Stored]] = {}
    for one in evaluations:
        setting = (one.model, one.data, one.dataset, one.threshold_from, str(one.scaling))
        epochs = "" if any_epochs else str(one.run.get("epochs"))
        groups.setdefault((*setting, epochs), []).append(one)
    return [
        Line(
            *key[:5],
            len(group),
            _scores(group, rule, region, averaging),
            *(_mean_of_run(group, name) for name in ("epochs", "images_seen", "minutes")),
        )
        for key, group in groups.items()
        if _seeds_differ(group)
    ]


def _seeds_differ(group: Sequence[Stored]) -> bool:
    seen: dict[object, Path] = {}
    for one in group:
        seed = one.run.get("seed")
        if seed is not None and seed in seen:
            raise UsageError(
                f"{one.path} and {seen[seed]}: one model, one data set, both seed {seed}: they are "
                "no two seeds of one setting; report them apart"
            )
        seen[seed] = one.path
    return True


def _scores(
    group: Sequence[Stored], rule: str, region: str, averaging: str
) -> dict[str, Estimate | None]:
    found: dict[str, Estimate | None] = {}
    for name in NAMES:
        way = MEAN if name == "cldice" else averaging
        values = [getattr(one.row(rule, region, way).scores, name) for one in group]
        found[name] = None if None in values else estimate(values)
    return found


def _mean_of_run(group: Sequence[Stored], name: str) -> float | None:
    values = [one.run.get(name) for one in group]
    return None if None in values else round(float(np.mean(values)), 1)


def matrix(table: Sequence[Line]) -> list[list[str]]:
    """Dice: a row for each model, training set and scaling, columns tested on; header first."""
    tested = list(dict.fromkeys(line.tested_on for line in table))
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for line in table:
        columns = cells.setdefault((line.model, line.trained_on, line.scaling), {})
        dice = str(line.scores["dice"])
        if line.tested_on in columns:  # trained for longer, or by another set's threshold
            dice = f"{columns[line.tested_on]}, {dice}"
        columns[line.tested_on] = dice
    return [["model", "trained on", "scaling", *tested]] + [
        [*key, *(columns.get(name, "") for name in tested)] for key, columns in cells.items()
    ]


def _cells(table: Sequence[Line]) -> list[list[str]]:
    names = [one.name for one in fields(Line) if one.name != "scores"]
    header = [name.replace("_", " ") for name in (*names[:6], *NAMES, *names[6:])]
    return [header] + [
        [
            *(str(getattr(line, name)) for name in names[:6]),
            *("" if value is None else str(value) for value in line.scores.values()),
            *(_number(getattr(line, name)) for name in names[6:]),
        ]
        for line in table
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def report(arguments: list[str]) -> None:
    """Reads, tells, draws.

    Raises:
        UsageError: a file is missing or no evaluation, or there is nothing to draw.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    found = read_all(options.paths)
    if options.dataset is not None:
        name = registry.find(options.dataset).name
        found = [one for one in found if one.dataset == name]
        if not found:
            raise UsageError(f"--dataset {name}: none of these evaluations is on it")
    rule, region = RULES[options.rule], REGIONS[options.region]
    averaging = MEAN if options.mean else POOLED
    table = lines(found, rule, region, averaging, any_epochs=options.any_epochs)
    if options.plot is not None:
        plots.precision_recall(options.plot, found, rule, region)
    if options.reliability is not None:
        plots.reliability(options.reliability, found)
    if options.json:
        document = {
            "rule": rule,
            "region": region,
            "averaging": averaging,
            "lines": [asdict(line) for line in table],
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    cells = matrix(table) if options.matrix else _cells(table)
    if options.markdown:
        cells.insert(1, ["---"] * len(cells[0]))
        sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in cells))
        return
    filled = [i for i, column in enumerate(zip(*cells[1:], strict=True)) if any(column)]
    cells = [[row[i] for i in filled] for row in cells]
    shown = Table(*cells[0], title=f"{rule}; {region}, {averaging}")
    for row in cells[1:]:
        shown.add_row(*row)
    console = Console()
    # A file or a pipe has no width: rich would squeeze the table into 80 columns.
    (console if console.is_terminal else Console(width=200)).print(shown)


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m train report", description=__doc__)
    parse.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="run folder or JSON")
    parse.add_argument("--rule", choices=RULES, default="a-priori", help="of the threshold")
    parse.add_argument("--region", choices=REGIONS, default="frame")
    parse.add_argument("--mean", action="store_true", help="over images, in place of pooled pixels")
    parse.add_argument("--dataset", metavar="NAME", help="only evaluations on this data set")
    parse.add_argument(
        "--any-epochs", action="store_true", help="seeds may have been stopped at different epochs"
    )
    parse.add_argument("--matrix", action="store_true", help="Dice, trained on by tested on")
    parse.add_argument("--plot", type=Path, metavar="PNG", help="precision-recall curves")
    parse.add_argument("--reliability", type=Path, metavar="PNG", help="reliability diagrams")
    parse.add_argument("--json", action="store_true")
    parse.add_argument("--markdown", action="store_true", help="print the table for a README")
    return parse
